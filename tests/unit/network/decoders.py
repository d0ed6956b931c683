"""What the tests of both decoders are fed."""

from __future__ import annotations

import numpy as np

from captioner.network.decoder import BaseDecoder
from captioner.vocabulary import START

VOCABULARY, CHANNELS, LOCATIONS = 9, 5, 6


def built(decoder: BaseDecoder, deviation: float) -> BaseDecoder:
    """The decoder with weights of this standard deviation, so large that words and masks differ."""
    decoder.build((None, LOCATIONS, CHANNELS))
    rng = np.random.default_rng(0)
    for weight in decoder.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * deviation)
    return decoder


def inputs(captions: int = 2, time: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Annotation vectors (3, locations, channels) and words (3, captions, time), the start symbol first."""
    rng = np.random.default_rng(1)
    words = rng.integers(4, VOCABULARY, (3, captions, time)).astype("int32")
    words[:, :, 0] = START
    return rng.normal(size=(3, LOCATIONS, CHANNELS)).astype("float32"), words
