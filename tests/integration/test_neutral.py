"""The model that ships, asked for neutral words: 200 captions hold none that is replaced, and their grammar holds."""

from __future__ import annotations

import itertools
import pathlib
import re

import pytest
from PIL import Image

from captioner import Captioner
from captioner.search.neutral import KINDS

ROOT = pathlib.Path(__file__).resolve().parents[2]
REPLACED = {word for _, words in KINDS for word in words.split()}
PLURALS = "people children parents grandparents siblings partners firefighters servers peoples persons"
SINGULARS = "person child parent grandparent sibling partner firefighter server batter player"
WRONG = [
    rf"\ban? ({PLURALS.replace(' ', '|')})\b(?! \w)",
    rf"\ban ({SINGULARS.replace(' ', '|')})\b",
    r"\ba [aeio]\w*",
    rf"\b(two|three|four|several|many) ({SINGULARS.replace(' ', '|')}) (is|are|in|on|and|with)\b",
    rf"(?<!and a )\b({SINGULARS.replace(' ', '|')}) (are|were|have)\b",
    rf"\b({PLURALS.replace(' ', '|')}) (is|was|has)\b",
    r"\bthey (is|was|has|does|\w+[^s]s)\b",
    r"\b(in|on|with|of|at|their|a|the|and)$",
    r"\btheir (is|are|in|on|and|with)\b",
]


def crops(picture: Image.Image):
    """Fifty pieces of a picture, as many pictures to a network."""
    width, height = picture.size
    places = [place / 10 for place in range(5)]
    for left, top, share in itertools.product(places, places, (0.5, 0.6)):
        box = left * width, top * height, (left + share) * width, (top + share) * height
        yield picture.crop(tuple(round(side) for side in box))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """200 captions with neutral words, of pieces of a photo of a woman."""
    captioner = Captioner.from_pretrained(ROOT / "models" / "photos")
    written = []
    with Image.open(ROOT / "demo" / "examples" / "astronaut.jpg") as picture:
        for crop in crops(picture):
            written += [caption.text for caption in captioner.caption(crop, count=3, neutral=True)]
            written.append(captioner.caption(crop, strategy="greedy", neutral=True).text)
    return written


@pytest.mark.slow
def test_200_captions_hold_no_word_that_is_replaced_and_their_grammar(texts):
    assert len(texts) == 200
    assert not [text for text in texts if REPLACED.intersection(text.split())]
    assert not [(text, rule) for text, rule in itertools.product(texts, WRONG) if re.search(rule, text)]
    assert len([text for text in texts if re.search(r"\b(person|people|child|children)\b", text)]) > 50


@pytest.mark.slow
def test_keras_writes_the_same_words():
    photo = ROOT / "demo" / "examples" / "astronaut.jpg"
    found = [
        Captioner.from_pretrained(ROOT / "models" / "photos", runtime=runtime).caption(photo, count=3, neutral=True)
        for runtime in ("onnx", "keras")
    ]
    onnx, keras = ([caption.text for caption in captions] for captions in found)
    assert onnx == keras and any(set(text.split()) & {"person", "child"} for text in keras)
