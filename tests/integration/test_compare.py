"""The comparison on a few generated shapes: rows, models, and going on where it was stopped."""

from __future__ import annotations

import functools
import json

import pytest

from captioner import Captioner
from captioner.folders.keras_folder import load_model
from training.compare import CONFIGS, Arena, Run, compare, longer
from training.config import load_config

NAMES = ["additive", "hard"]


def make_arena(data, workdir) -> Arena:
    small = ["stages.0.steps=3", "stages.0.batch_size=8", "validation_pictures=4", "model.attention.units=16"]
    small += ["model.decoder.lstm_units=16", "model.decoder.embedding_size=16", "validation_beam_width=1"]
    config = load_config(CONFIGS / "compare_shapes.toml", small)
    return Arena("shapes", config, data, data / "boxes.json.gz", lambda: load_model("shapes")[0].encoder, workdir)


@pytest.fixture(scope="module")
def compared(shapes, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("compare")
    return workdir, compare({"shapes": functools.partial(make_arena, shapes, workdir)}, workdir, NAMES, processes=1)


@pytest.mark.slow
def test_every_row_says_what_was_measured(compared):
    workdir, rows = compared
    assert [row["mechanism"] for row in rows] == NAMES
    for row in rows:
        assert row == json.loads((workdir / "rows" / f"shapes-{row['mechanism']}-1-0.json").read_text())
        assert row["steps"] == 3 and row["parameters"] > 1000 and row["cross_entropy"] > 0
        assert row["milliseconds_per_step"] > 0 and row["milliseconds_per_caption"] > 0
        assert 0 <= row["mask_entropy"] <= 1 and 0 <= row["exact"] <= 1 and 0 <= row["point_all"] <= 1
        captions = json.loads((workdir / "captions" / f"shapes-{row['mechanism']}-1-0.json").read_text())
        assert len(captions) == 4 and set(captions[0]) == {"image", "caption", "references"}
    assert rows[0]["parameters"] == rows[1]["parameters"]
    assert rows[1]["mask_entropy"] == pytest.approx(0, abs=1e-6)  # one-hot masks


@pytest.mark.slow
def test_every_row_leaves_a_model(compared, shapes):
    folder = compared[0] / "models" / "shapes-hard-1-0"
    caption = Captioner.from_pretrained(folder).caption(next((shapes / "images").rglob("*.png")), beam_width=1)
    assert all(word.mask.max() == 1 and word.mask.sum() == 1 for word in caption.words)


@pytest.mark.slow
def test_what_is_there_is_not_trained_again(compared):
    def never():
        raise AssertionError("a row that is there asked for its data")

    workdir, rows = compared
    assert compare({"shapes": never}, workdir, NAMES, processes=1) == rows


def test_the_best_are_trained_for_longer():
    scores = {"additive": 0.4, "mean": 0.6, "gru": 0.1, "hard": 0.2, "dot": 0.5, "word": 0.3}
    rows = [{"arena": "flickr8k", "mechanism": name, "cider_d": score} for name, score in scores.items()]
    rows += [{"arena": "shapes", "mechanism": "cosine", "cider_d": 9.0}]
    chosen = list(longer(rows))
    assert [run.mechanism for run in chosen[::2]] == ["additive", "dot", "word", "hard", "mean"]
    assert chosen[:2] == [Run("flickr8k", "additive", 2, 1), Run("flickr8k", "additive", 2, 2)]
