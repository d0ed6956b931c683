"""Every mechanism in a whole model: written, read back, exported, run without this project's network code."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from captioner import Captioner
from captioner.config import ModelConfig
from captioner.folders.keras_folder import save_model
from captioner.network.model import CaptionModel
from training.comparison.mechanisms import MECHANISMS

BASE = ModelConfig.parse(
    {
        "encoder": {
            "architecture": "MobileNet",
            "layers": ["conv_pw_4_relu"],
            "image_size": 32,
            "options": {"alpha": 0.25},
        },
        "context": {"units": 8},
        "attention": {"units": 8},
        "decoder": {"embedding_size": 8, "lstm_units": 8, "max_words": 4},
    }
)

SERVED = ("hard", "local_monotonic", "multi_head", "sentinel", "bilstm", "transformer")  # ONNX is the narrower way


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 255, (9, 9, 3), np.uint8)).resize((60, 40), Image.Resampling.BICUBIC)


def write(name: str, folder, vocabulary):
    """A model folder with random weights."""
    keras.utils.set_random_seed(1)
    model = CaptionModel(MECHANISMS[name].of(BASE), len(vocabulary))
    rng = np.random.default_rng(2)
    for weight in model.decoder.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * 0.7)
    return save_model(folder, model, vocabulary, {}, "# Tiny\n")


def same(one, other):
    assert one.text == other.text
    assert one.score == pytest.approx(other.score, abs=1e-4)
    for a, b in zip(one.words, other.words, strict=True):
        assert a.sentinel == pytest.approx(b.sentinel, abs=1e-4)
        np.testing.assert_allclose(a.mask, b.mask, atol=1e-4)
        assert (a.heads is None) == (b.heads is None)
        if a.heads is not None:
            np.testing.assert_allclose(a.heads, b.heads, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", MECHANISMS)
def test_exports_say_what_the_model_says(name, tmp_path, tiny_vocabulary, picture):
    from captioner.export import export

    folder = write(name, tmp_path / "keras", tiny_vocabulary)
    model = Captioner.from_pretrained(folder)
    found = model.caption(picture, beam_width=2), model.score(picture, "a brown dog runs")
    assert found[0].words
    for kind in ("onnx", "saved_model") if name in SERVED else ("onnx",):
        exported = Captioner.from_pretrained(export(folder, tmp_path / kind, kind))
        same(found[0], exported.caption(picture, beam_width=2))
        same(found[1], exported.score(picture, "a brown dog runs"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hard", "transformer", "glimpse", "multi_head", "bilstm"])
def test_every_way_to_search_and_to_train(name, tmp_path, tiny_vocabulary, picture):
    """Compiled, on the default backend: samples, diverse beams, words that must appear, a stream, a training step."""
    from training.config import Stage
    from training.engine.optimizer import make_optimizer
    from training.engine.trainer import CaptionTrainer

    model = Captioner.from_pretrained(write(name, tmp_path / "keras", tiny_vocabulary))
    assert len(model.caption(picture, strategy="sample", count=3, seed=1)) == 3
    assert model.caption(picture, strategy="diverse", beam_width=2).words
    assert "dog" in model.caption(picture, beam_width=2, required_words="dog").text
    whole = model.caption(picture, strategy="greedy")
    same(whole, list(model.stream(picture))[-1])
    stage = Stage(epochs=1, dropout=0.1, input_dropout=0.1, state_dropout=0.1)
    trainer = CaptionTrainer(model.model, stage)
    trainer.compile(optimizer=make_optimizer(stage, model.model, 2), jit_compile=False)
    rng = np.random.default_rng(3)
    targets = rng.integers(4, len(tiny_vocabulary), (4, 1, 5)).astype("int32")
    annotations = rng.normal(size=(4, 16, model.model.encoder.channels)).astype("float32")
    for _ in range(2):
        losses = trainer.train_on_batch(
            {"annotations": annotations, "words": np.roll(targets, 1, axis=2)}, {"targets": targets}, return_dict=True
        )
        assert np.isfinite(losses["loss"])
