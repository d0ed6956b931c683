"""The encoder: any application, tapped, frozen from a layer on."""

from __future__ import annotations

import numpy as np
import pytest

from captioner import ConfigError
from captioner.config import EncoderConfig
from captioner.network.encoder import Encoder, _coordinates


def config(**changes):
    values = {"architecture": "MobileNet", "layers": ("conv_pw_5_relu",), "image_size": 32, "options": {"alpha": 0.25}}
    return EncoderConfig.parse(values | changes)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), np.uint8)


def test_a_grid_of_annotation_vectors(pixels):
    encoder = Encoder(config())
    assert (encoder.grid, encoder.channels) == ((4, 4), 64)
    annotations = np.asarray(encoder(pixels))
    assert annotations.shape == (2, 16, 64)
    grid = np.asarray(encoder.cnn(pixels.astype("float32") / 127.5 - 1))
    np.testing.assert_allclose(annotations, grid.reshape(2, 16, 64), atol=1e-4)


def test_layers_of_one_grid_are_joined(pixels):
    encoder = Encoder(config(layers=("conv_pw_4_relu", "conv_pw_5_relu")))
    assert encoder(pixels).shape == (2, 16, 128) and encoder.channels == 128
    with pytest.raises(ConfigError, match="have different grids"):
        Encoder(config(layers=("conv_pw_3_relu", "conv_pw_5_relu")))


def test_coordinates_by_hand(pixels):
    np.testing.assert_allclose(_coordinates((1, 2)), [[[-0.5, 0.0], [0.5, 0.0]]])
    encoder = Encoder(config(coordinates=True))
    annotations = np.asarray(encoder(pixels))
    assert annotations.shape == (2, 16, 66) and encoder.channels == 66
    np.testing.assert_allclose(annotations[0, [0, 3, 15], -2:], [[-0.75, -0.75], [0.75, -0.75], [0.75, 0.75]])


def test_a_layer_to_train_from():
    encoder = Encoder(config())
    assert not encoder.trainable_weights
    encoder.set_trainable_from("conv_dw_5")
    names = {weight.path.split("/")[-2] for weight in encoder.trainable_weights}
    assert names == {"conv_dw_5", "conv_dw_5_bn", "conv_pw_5", "conv_pw_5_bn"}
    encoder.set_trainable_from("")
    assert any("conv1" in weight.path for weight in encoder.trainable_weights)
    with pytest.raises(ConfigError, match="no layer 'nonsense' to train from"):
        encoder.set_trainable_from("nonsense")


def test_normalisation_learns_its_statistics_only_from_scratch(pixels):
    for from_scratch in (False, True):
        encoder = Encoder(config(), from_scratch=from_scratch)
        encoder.set_trainable_from("")
        before = [np.asarray(weight) for weight in encoder.non_trainable_weights]
        encoder(pixels, training=True)
        changed = any((np.asarray(w) != b).any() for w, b in zip(encoder.non_trainable_weights, before, strict=True))
        assert changed == from_scratch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "MobileNett"}, "keras.applications has no architecture 'MobileNett'"),
        ({"layers": ("nonsense",)}, "has no layer 'nonsense' to tap"),
        ({"options": {"alphabet": 1}}, "cannot build the encoder MobileNet"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(changes, message):
    with pytest.raises(ConfigError, match=message) as error:
        Encoder(config(**changes))
    assert "\n" not in str(error.value)


def test_weights_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot build the encoder MobileNet with weights"):
        Encoder(config(), weights=str(tmp_path / "none.h5"))


def test_weights_that_cannot_be_downloaded_are_one_line(monkeypatch):
    def no_network(*args, **kwargs):
        raise Exception("URL fetch failure on https://example.org/w.h5: None -- [Errno -2] Name or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", no_network)
    with pytest.raises(ConfigError, match="URL fetch failure .*; set encoder_weights to a file .* start_from") as error:
        Encoder(config(options={"alpha": 0.25}, image_size=128), weights="imagenet")
    assert "\n" not in str(error.value)
