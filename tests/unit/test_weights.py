"""Weights come into a network as Keras would bring them, and a file that does not fit is refused."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from captioner.folders.keras_folder import load_model, save_weights
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from captioner.weights import load_weights, without_numbers


def empty(config, words: int) -> CaptionModel:
    with without_numbers():
        encoder = Encoder(config.encoder, name="encoder")
    return CaptionModel(config, words, encoder)


def same(a: CaptionModel, b: CaptionModel) -> None:
    for one, other in zip(a.variables, b.variables, strict=True):
        if keras.backend.is_float_dtype(one.dtype):  # others are random states
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=one.path)


@pytest.fixture(scope="module")
def saved(tiny_captioner, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.weights.h5"
    save_weights(tiny_captioner.model, path)
    return path


def test_weights_are_those_that_keras_reads(tiny_config, tiny_vocabulary, saved):
    ours, keras_own = empty(tiny_config, len(tiny_vocabulary)), CaptionModel(tiny_config, len(tiny_vocabulary))
    load_weights(ours, saved)
    keras_own.load_weights(saved)
    same(ours, keras_own)


@pytest.mark.parametrize("damage", ["another shape", "missing"])
def test_a_file_that_does_not_fit_is_refused(tiny_config, tiny_vocabulary, saved, tmp_path, damage):
    path = tmp_path / "bad.weights.h5"
    path.write_bytes(saved.read_bytes())
    with h5py.File(path, "r+") as file:
        kernels = file["encoder/cnn/layers/conv2d/vars"]
        del kernels["0"]
        if damage == "another shape":
            kernels["0"] = np.zeros((3, 3), np.float16)
        else:
            kernels["1"] = np.zeros((3, 3), np.float16)
    with pytest.raises((ValueError, KeyError)):
        load_weights(empty(tiny_config, len(tiny_vocabulary)), path)


@pytest.mark.slow
def test_the_photo_model_loads_as_keras_loads_it(root):
    folder = root / "models" / "flickr8k"
    ours, vocabulary, _ = load_model(folder)
    keras_own = CaptionModel(ours.config, len(vocabulary))
    keras_own.load_weights(folder / "model.weights.h5")
    same(ours, keras_own)
    pixels = np.random.default_rng(0).integers(0, 255, (1, ours.encoder.config.image_size, 300, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(ours.encoder(pixels)), np.asarray(keras_own.encoder(pixels)))
