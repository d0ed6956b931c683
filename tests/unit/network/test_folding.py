"""A folded CNN answers what the CNN does, with no batch normalisation after a convolution that nothing else reads."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.config import EncoderConfig
from captioner.network.encoder import Encoder
from captioner.network.folding import FoldedEncoder, folded
from captioner.search.graphs import Encoding
from tests.quick import quick

NORM, SIZE = keras.layers.BatchNormalization, 64


def norms(cnn) -> list[str]:
    return [layer.name for layer in cnn.layers if isinstance(layer, NORM)]


def shake(cnn) -> None:
    """Statistics and factors as training leaves them; fresh ones do next to nothing."""
    rng = np.random.default_rng(0)
    for name in norms(cnn):
        layer = cnn.get_layer(name)
        layer.set_weights([rng.uniform(0.3, 2.0, weight.shape) for weight in layer.get_weights()])


@pytest.mark.parametrize(
    ("architecture", "layer"), quick([0], [("MobileNetV2", "block_2_add"), ("EfficientNetB0", "block2b_add")])
)
def test_an_encoder_answers_the_same(architecture, layer):
    classes = {"classes": ["dog", "person"], "units": 8}
    config = {"architecture": architecture, "layers": [layer], "image_size": SIZE, "class_maps": classes}
    encoder = Encoder(EncoderConfig.parse(config))
    shake(encoder.cnn)
    pixels = np.random.default_rng(1).integers(0, 255, (2, SIZE, SIZE, 3), np.uint8)
    wanted = np.asarray(encoder(pixels))
    for _ in range(2):  # a network is folded for captions and again for an export
        quick = FoldedEncoder(encoder)
        assert not norms(quick.cnn) and norms(encoder.cnn)
        np.testing.assert_allclose(np.asarray(quick(pixels)), wanted, atol=1e-5 * np.abs(wanted).max())
    assert {weight.path for weight in quick.class_maps.weights} < {weight.path for weight in quick.weights}
    np.testing.assert_array_equal(np.asarray(encoder(pixels)), wanted)


def test_numbers_by_hand():
    pixels = keras.Input((1, 1, 1))
    cnn = keras.Model(pixels, NORM(epsilon=0.0, name="norm")(keras.layers.Conv2D(1, 1, name="conv")(pixels)))
    cnn.get_layer("conv").set_weights([np.full((1, 1, 1, 1), 3.0), np.array([1.0])])
    cnn.get_layer("norm").set_weights([np.array([number]) for number in (10.0, 7.0, 2.0, 4.0)])
    kernel, bias = folded(cnn).get_layer("conv").get_weights()  # 10 * (3 x + 1 - 2) / sqrt(4) + 7
    assert (kernel.item(), bias.item()) == (15.0, 2.0)


def test_what_is_read_elsewhere_or_bent_before_stays():
    pixels = keras.Input((4, 4, 2))
    read_twice = keras.layers.Conv2D(2, 1, name="read_twice")(pixels)
    bent = keras.layers.Conv2D(2, 1, activation="relu", name="bent")(NORM(name="after")(read_twice))
    tapped = keras.layers.Conv2D(2, 1, name="tapped")(NORM(name="after_bent")(bent))
    other = keras.layers.Add()([NORM(name="after_tapped")(tapped), read_twice])
    cnn = keras.Model(pixels, [tapped, other])
    shake(cnn)
    copy = folded(cnn)
    assert sorted(norms(copy)) == ["after", "after_bent", "after_tapped"]
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 2)).astype(np.float32)
    for one, same in zip(cnn(x), copy(x), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(same), rtol=1e-6)


def test_captions_are_made_of_the_folded_network(tiny_captioner):
    assert not norms(Encoding(tiny_captioner.model.encoder).encoder.cnn)
