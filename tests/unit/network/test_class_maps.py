import numpy as np
import pytest
from keras import ops

from captioner.config import ClassMapsConfig, EncoderConfig
from captioner.errors import ConfigError
from captioner.network.class_maps import STRENGTH, ClassMaps
from captioner.network.encoder import Encoder

CLASSES = ("cat", "dog", "pizza")


@pytest.fixture
def maps():
    layer = ClassMaps(ClassMapsConfig(classes=CLASSES, units=4), (2, 3))
    layer.build((None, 6, 5))
    return layer


def test_maps_lie_between_nought_and_one(maps):
    annotations = np.random.default_rng(0).normal(size=(2, 6, 5)).astype("float32")
    found = ops.convert_to_numpy(maps(annotations))
    assert found.shape == (2, 6, 3)
    assert (found > 0).all() and (found < 1).all()
    np.testing.assert_allclose(ops.convert_to_numpy(maps.joined(annotations)), STRENGTH * found, rtol=1e-6)


def test_by_hand(maps):
    """One unit that copies channel 0, neighbours that add the cell to the left, and a class that counts them."""
    kernel, neighbours = np.zeros((5, 4)), np.zeros((3, 3, 4, 1))
    kernel[0, 0], neighbours[1, 0, 0, 0] = 1.0, 1.0
    classify = np.zeros((4, 3))
    classify[0] = 1.0, 2.0, 0.0
    zeros = np.zeros
    maps.set_weights([np.ones(5), zeros(5), kernel, zeros(4), neighbours, zeros(4), classify, zeros(3)])
    annotations = np.zeros((1, 6, 5), "float32")
    annotations[0, 1] = 4.0, -1.0, -1.0, -1.0, -1.0  # normalised: mean 0, standard deviation 2
    logits = ops.convert_to_numpy(maps.logits(annotations))[0]
    seen = np.array([0.0, 2.0, 2.0, 0.0, 0.0, 0.0])  # the cell itself, and the one to its right
    np.testing.assert_allclose(logits, np.stack([seen, 2 * seen, 0 * seen], axis=1), atol=1e-4)


def test_an_encoder_joins_its_maps_to_what_the_cnn_sees():
    options = {"architecture": "MobileNet", "layers": ["conv_pw_5_relu"], "image_size": 32, "options": {"alpha": 0.25}}
    config = EncoderConfig.parse({**options, "class_maps": {"classes": CLASSES, "units": 8}})
    encoder = Encoder(config)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), "uint8")
    annotations = ops.convert_to_numpy(encoder(pixels))
    appearance = encoder.appearance(pixels)
    assert encoder.channels == encoder.appearance_channels + 3 == annotations.shape[-1]
    np.testing.assert_allclose(annotations[..., :-3], ops.convert_to_numpy(appearance), rtol=1e-5)
    np.testing.assert_allclose(
        annotations[..., -3:], ops.convert_to_numpy(encoder.class_maps.joined(appearance)), rtol=1e-5
    )


@pytest.mark.parametrize(("train_from", "trains"), [(None, False), ("", True)])
def test_maps_train_where_the_encoder_does(train_from, trains):
    options = {"architecture": "MobileNet", "layers": ["conv_pw_5_relu"], "image_size": 32, "options": {"alpha": 0.25}}
    encoder = Encoder(EncoderConfig.parse({**options, "class_maps": {"classes": CLASSES, "units": 8}}))
    encoder.set_trainable_from(train_from)
    assert bool(encoder.class_maps.trainable_variables) is trains


def test_a_wrong_key_is_named():
    with pytest.raises(ConfigError, match="class_maps.unit is not a known key: did you mean 'units'"):
        EncoderConfig.parse({"architecture": "MobileNet", "layers": ["x"], "class_maps": {"classes": ["a"], "unit": 3}})
