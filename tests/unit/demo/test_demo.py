"""Parts of the demo that need neither server nor browser."""

from __future__ import annotations

import copy
import csv
import io
import json
import math
import pathlib
import shutil

import gradio as gr
import numpy as np
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from captioner import Caption, ConfigError, DecodingOptions, ModelError
from captioner.caption import Word
from demo import batch, evidence
from demo.bounds import fitting, given_words
from demo.listeners import distinct, for_stream, search, seeded, settle
from demo.models import Models, title
from demo.settings import decoding_options
from demo.takeaway import make_file


def test_attended_cells_are_the_fewest_that_hold_enough_and_their_neighbours():
    mask = np.zeros((6, 6))
    mask[0, 0], mask[0, 1], mask[5, 5] = 0.5, 0.35, 0.15  # 0.85 in two cells: the third is not needed
    wanted = np.zeros((6, 6), bool)
    wanted[:2, :3] = True
    np.testing.assert_array_equal(evidence.attended_cells(mask), wanted)
    even = np.full((8, 8), 1 / 64)  # 0.8 would need 52 cells; a quarter is 16, the upper two rows, and one row more
    assert evidence.attended_cells(even)[:3].all() and evidence.attended_cells(even).sum() == 24
    assert evidence.attended_cells(np.array([[1.0]])).sum() == 1


def test_the_other_place_is_as_large_and_least_looked_at():
    mask = np.zeros((3, 4))
    mask[0, 0], mask[0, 1], mask[1, 2], mask[2, 0] = 0.5, 0.3, 0.15, 0.05
    cells = mask >= 0.3
    away = evidence.moved_away(cells, mask)
    assert away.sum() == 2 and mask[away].sum() == 0 and not (away & cells).any()


@pytest.mark.parametrize(
    ("resize", "box"), [("squash", (60, 0, 120, 30)), ("crop", (60, 0, 90, 30)), ("pad", (60, 0, 120, 30))]
)
def test_blurred_cells_lie_where_the_mask_lies(resize, box):
    picture = Image.effect_noise((120, 60), 90).convert("RGB")
    cells = np.array([[False, True], [False, False]])  # "pad": the cell reaches above the picture, rows -30 to 30
    without = evidence.blur_out(picture, cells, resize)
    changed = np.argwhere((np.asarray(without) != np.asarray(picture)).any(axis=-1))
    assert tuple(changed.min(axis=0)[::-1]) == box[:2] and tuple(changed.max(axis=0)[::-1] + 1) == box[2:]
    assert np.asarray(without.crop(box)).std() < 12 < np.asarray(picture.crop(box)).std()


def test_words_lean_on_the_photo_by_what_it_adds(drawn, photo):
    caption = drawn.caption(photo, min_words=3)
    without = drawn.score(evidence.BLANK, caption.text)
    leaning = evidence.leaning(drawn, caption)
    for word, blank, found in zip(caption.words, without.words, leaning, strict=True):
        assert math.exp(found) == pytest.approx(word.probability / blank.probability, rel=1e-3)
    assert any(abs(found) > 1e-5 for found in leaning)


def test_a_mask_is_checked_against_an_equal_place(drawn, photo):
    caption = drawn.caption(photo, min_words=3)
    check = evidence.check_mask(drawn, photo, caption.text, 1)
    assert check.word == caption.words[1].text
    assert check.probability == pytest.approx(caption.words[1].probability, abs=1e-3)
    assert check.attended.cells.sum() == check.elsewhere.cells.sum()
    assert check.attended.attention > check.elsewhere.attention
    again = drawn.score(check.attended.picture, caption.text)
    assert check.attended.probability == pytest.approx(again.words[1].probability, abs=1e-5)
    with pytest.raises(ConfigError, match="counted from 0. Received: index 9"):
        evidence.check_mask(drawn, photo, caption.text, 9)


@pytest.mark.parametrize("kind", ["word", "sheet", "share", "webp", "gif", "json"])
def test_files_to_take_away(drawn, photo, kind):
    caption = drawn.caption(photo, min_words=3)
    data, name, mime_type = make_file(caption, kind, -1)
    if kind == "json":
        assert json.loads(data) == caption.to_dict()
        return
    with Image.open(io.BytesIO(data)) as picture:
        assert Image.MIME[picture.format] == mime_type and name.endswith(f".{picture.format.lower()}")
        assert kind != "share" or picture.size == (1200, 630)
        if kind in ("webp", "gif"):
            assert picture.n_frames > len(caption.words) and picture.info["loop"] == 0


def test_what_cannot_be_taken_away_is_named(drawn, photo):
    caption = drawn.caption(photo)
    with pytest.raises(ConfigError, match="word, sheet, share, webp, gif, json. Received: 'exe'"):
        make_file(caption, "exe", 0)
    with pytest.raises(ConfigError, match="Received: index 99"):
        make_file(caption, "word", 99)


def upload(source: pathlib.Path) -> dict:
    """A file as it lies in Gradio's upload folder."""
    path = pathlib.Path(get_upload_folder()) / f"{len(source.name)}-{source.stat().st_size}" / source.name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, path)
    return {"path": str(path), "orig_name": source.name}


def test_a_batch_has_a_row_for_every_file(drawn, photo, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    bad = tmp_path / "=bad.png"
    bad.write_text("hello")
    files = [upload(photo), upload(bad), upload(photo)]
    rows = list(batch.caption_files(drawn, files))
    wanted = drawn.caption(photo).text
    assert [row.caption and row.caption.text for row in rows] == [wanted, None, wanted]
    assert rows[1].error.startswith("is not a picture") and str(tmp_path) not in rows[1].error

    table = list(csv.DictReader(batch.to_csv(rows).decode("utf-8-sig").splitlines()))
    assert [row["caption"] for row in table] == [wanted, "", wanted]
    assert [row["image"] for row in table] == ["wide.jpg", "'=bad.png", "wide.jpg"]
    found = json.loads(batch.to_json(rows))
    assert found[0]["text"] == wanted and "not a picture" in found[1]["error"]
    with pytest.raises(gr.Error, match="was not uploaded"):
        list(batch.caption_files(drawn, [{"path": str(photo)}]))
    with pytest.raises(ConfigError, match="choose 1 to 200 photos. Received: 0"):
        list(batch.caption_files(drawn, []))


def test_no_name_is_a_formula_in_a_spreadsheet():
    names = ["=1+1", "@SUM(A1)", "-2.jpg", "+3.jpg", "\tx", "\rx", "a=1.jpg", "it's.jpg"]
    rows = [batch.Row(name, error="is not a picture") for name in names]
    cells = [row["image"] for row in csv.DictReader(io.StringIO(batch.to_csv(rows).decode("utf-8-sig"), newline=""))]
    assert cells == [*(f"'{name}" for name in names[:6]), *names[6:]]


def test_texts_are_bounded_by_the_longest_caption(drawn):
    longest = drawn.config.decoder.max_words
    assert given_words(drawn, "a " * longest)
    for text, words in (
        ("a " * (longest + 1), f"has {longest + 1} words"),
        ("a" * 3000, "3000 letters"),
        ("a" * 101, "101"),
    ):
        with pytest.raises(ConfigError, match=words):
            given_words(drawn, text)
    with pytest.raises(ConfigError, match=f"max_words is at most {longest} for this model. Received: {longest + 1}"):
        search(drawn, None, {"max_words": longest + 1})
    assert fitting(drawn, {"max_words": 99})["max_words"] == longest
    assert fitting(drawn, {"max_words": 2, "beam_width": 3}) == {"max_words": 2, "beam_width": 3}


@pytest.mark.parametrize("strategy", ["beam", "greedy", "diverse", "sample"])
def test_words_that_are_asked_for_and_left_out(drawn, photo, strategy):
    options = seeded(decoding_options(strategy, 3, 5, 1.0, required="Circle|square", forbidden="red a"))
    *_, streamed = drawn.stream(photo, **for_stream(options))
    captions = settle(drawn, photo, options, streamed)
    said = [set(caption.text.split()) for caption in (streamed, *captions)]
    assert captions and not [words for words in said if words & {"red", "a"}]
    if strategy in ("beam", "greedy"):
        assert all(words & {"circle", "square"} for words in said[1:])
    assert decoding_options("beam", 3, 5, 1.0, required=" ", forbidden="") == {
        "strategy": "beam",
        "max_words": 5,
        "beam_width": 3,
    }


@pytest.fixture
def nameless(drawn):
    """A captioner that comes from no folder."""
    captioner = copy.copy(drawn)
    captioner.name = ""
    return captioner


def test_models_are_those_of_the_folder_and_read_when_asked_for(nameless, root):
    models = Models(nameless, root / "models")
    assert models.names == ["model", "photos", "shapes", "shapes_hard"]
    assert models[""] is models["model"] is nameless and not models.is_ready("shapes")
    assert models["shapes"].grid == (8, 8) and models["shapes"] is models["shapes"]
    with pytest.raises(ModelError, match="no model '../secret' here; choose one of model, photos, shapes, shapes_hard"):
        models["../secret"]


def test_an_older_name_of_a_model_stands_for_the_present_one(nameless, root, tmp_path):
    shutil.copytree(root / "models/shapes", tmp_path / "new")
    (tmp_path / "old").symlink_to("new")
    models = Models(nameless, tmp_path)
    assert models.names == ["model", "new"]
    assert models["old"] is models["new"] and models.is_ready("old")
    with pytest.raises(ModelError, match="there is no model"):
        models[["old"]]


def test_the_best_of_a_run_goes_by_its_run_too(tmp_path):
    assert (
        title(str(tmp_path / "runs" / "soft" / "best"), "best") == "soft/best"
        and title("models/shapes", "shapes") == "shapes"
    )


def test_captions_that_name_nothing_new_are_left_out():
    def caption(text: str) -> Caption:
        words = [Word(word, 0.5, np.ones((1, 1))) for word in text.split()]
        return Caption(tuple(words), -1.0, b"", (1, 1))

    texts = ["a dog runs on grass", "the dog running in grass", "a brown dog runs on grass", "dogs", "a cat runs"]
    assert [one.text for one in distinct([caption(text) for text in texts])] == ["a dog runs on grass", "a cat runs"]


@pytest.mark.parametrize("strategy", ["beam", "diverse", "greedy", "sample"])
def test_settings_stand_for_options_that_can_be_searched_and_streamed(drawn, photo, strategy):
    options = decoding_options(strategy, beam_width=3, max_words=5, temperature=1.3)
    DecodingOptions.parse(options)
    options = seeded(options)
    *_, streamed = drawn.stream(photo, **for_stream(options))
    captions = settle(drawn, photo, options, streamed)
    most = {"greedy": 1, "diverse": 3}.get(strategy, 6)
    assert 1 <= len(captions) <= most and distinct(captions) == captions
    if strategy in ("greedy", "sample"):
        assert captions[0].text == streamed.text, "what was read along changed under the reader's eyes"
    else:
        assert captions[0].text == search(drawn, photo, options)[0].text
