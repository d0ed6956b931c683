"""Model folders read back what was written, and say so when they do not."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from captioner import Captioner, ModelError
from captioner.folders.folder import FORMAT_VERSION
from captioner.folders.keras_folder import _half, save_model


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def test_a_model_reads_back(saved, tiny_captioner, photo):
    again = Captioner.from_pretrained(saved)
    assert again.config == tiny_captioner.config
    assert again.vocabulary.words == tiny_captioner.vocabulary.words
    assert again.metrics == {"dev": {"bleu_4": 0.1}}
    old, new = tiny_captioner.score(photo, "a dog runs"), again.score(photo, "a dog runs")
    assert new.score == pytest.approx(old.score, abs=0.02)  # weights are stored as float16
    np.testing.assert_allclose(new.words[1].mask, old.words[1].mask, atol=0.02)


def test_the_folder_holds_what_the_contract_names(saved):
    names = {"config.json", "model.weights.h5", "vocabulary.txt", "metrics.json", "README.md", "manifest.json"}
    assert {path.name for path in saved.iterdir()} == names
    assert [path.name for path in saved.parent.iterdir()] == ["tiny"]
    manifest = json.loads((saved / "manifest.json").read_text())
    assert manifest["format_version"] == FORMAT_VERSION
    assert set(manifest["sha256"]) == {"config.json", "model.weights.h5", "vocabulary.txt"}


def test_a_better_model_takes_the_place_of_the_old(saved, tiny_captioner, copy):
    save_model(copy, tiny_captioner.model, tiny_captioner.vocabulary, {"dev": 2}, "# New\n")
    assert json.loads((copy / "metrics.json").read_text()) == {"dev": 2}
    assert [path.name for path in copy.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "vocabulary.txt", "manifest.json"])
def test_a_missing_part_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(ModelError, match=name):
        Captioner.from_pretrained(copy)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "vocabulary.txt"])
def test_a_flipped_bit_is_noticed(copy, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name} is not the file the manifest names"):
        Captioner.from_pretrained(copy)


def test_another_version_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text()) | {"format_version": 99}
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="format version 99; this library reads version"):
        Captioner.from_pretrained(copy)


def test_no_folder_is_refused():
    with pytest.raises(ModelError, match="no-such-model is no model folder"):
        Captioner.from_pretrained("no-such-model")


def test_weights_that_are_not_finite_are_never_written(tiny_captioner, tmp_path):
    weight = tiny_captioner.model.decoder.output_bias
    kept = np.asarray(weight)
    weight.assign(np.full(kept.shape, np.nan))
    try:
        with pytest.raises(ModelError, match="not finite"):
            save_model(tmp_path / "broken", tiny_captioner.model, tiny_captioner.vocabulary, {}, "")
    finally:
        weight.assign(kept)
    assert not list(tmp_path.iterdir())


def test_numbers_on_disk_are_close():
    values = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    np.testing.assert_allclose(_half(values).astype(np.float32), values, rtol=2.5e-3, atol=1e-6)
    np.testing.assert_array_equal(
        _half(np.float32([[0, 1, -0.5, 65504, 1e9]])), np.float16([[0, 1, -0.5, 65504, 65504]])
    )
