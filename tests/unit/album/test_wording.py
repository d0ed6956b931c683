"""Captions put as the user wants them."""

from __future__ import annotations

import pytest

from captioner.album.run import Existing
from captioner.album.wording import Wording, joined
from captioner.errors import ConfigError
from captioner.requiring import parse_groups
from captioner.wording import as_sentence, shorten


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("a dog runs", 10, "a dog runs"),
        ("a dog runs", 9, "a dog"),
        ("a dog runs through the grass", 22, "a dog runs"),
        ("a man in a red shirt and a hat", 26, "a man in a red shirt"),
        ("unbelievable", 5, ""),
    ],
)
def test_a_short_text_ends_in_a_whole_word_that_closes_it(text, length, short):
    assert shorten(text, length) == short


def test_sentences():
    assert as_sentence("a dog") == "A dog." and as_sentence("who runs?") == "Who runs?" and as_sentence("") == ""


def test_prefix_suffix_and_length_hold_together():
    wording = Wording("photo of ", ", by me", 40)
    text = wording.alt_text("a small brown dog runs through the tall grass")
    assert text == "Photo of a small brown dog runs, by me."
    assert len(text) <= 40


@pytest.mark.parametrize(
    "settings",
    [{"prefix": "a\nb"}, {"max_characters": 10}, {"min_confidence": 1.5}, {"max_characters": 25, "suffix": "x" * 9}],
)
def test_what_cannot_be_asked_for(settings):
    with pytest.raises(ConfigError):
        Wording(**settings)


def test_joining():
    assert joined("sks dog,", "a dog") == "sks dog, a dog"
    assert joined("sks dog", "a dog") == "sks dog, a dog"
    assert joined("", "a dog") == "a dog" == joined("a dog", "")


def test_too_unsure_to_be_written(photos, write, painted):
    painted.confidence = 0.3
    (photos / "a.txt").write_text("mine")
    summary, _ = write(photos, "txt", wording=Wording(min_confidence=0.4), existing=Existing.overwrite)
    assert (summary.held_back, summary.captioned) == (3, 0) and "3 too unsure to be written" in str(summary)
    assert (photos / "a.txt").read_text() == "mine" and not (photos / "b.txt").exists()
    summary, _ = write(photos, "txt", wording=Wording(min_confidence=0.2), existing=Existing.overwrite)
    assert (summary.captioned, summary.unsure) == (3, 3) and len(painted.asked) == 3


def test_min_confidence_without_calibration():
    with pytest.raises(ConfigError, match="not calibrated"):
        Wording(min_confidence=0.2).holds_back(None)


def test_every_caption_holds_one_of_the_required_words(photos, write):
    write(photos, "txt", required=parse_groups(["red|dog", "thing"]))
    texts = {path.stem: path.read_text().strip() for path in photos.rglob("*.txt")}
    assert texts == {"a": "a red thing", "b": "a green thing red thing", "c": "a blue thing red thing"}


@pytest.mark.parametrize("text", ["", "|", "two words|dog", "|".join(f"word{i}" for i in range(65))])
def test_groups_that_are_none(text):
    with pytest.raises(ConfigError, match="required words"):
        parse_groups([text])


def test_a_required_word_that_the_model_lacks(photos, write):
    with pytest.raises(ConfigError, match="knows none of the required words unicorn"):
        write(photos, "txt", required=parse_groups(["unicorn"]))
