"""The whole network: encoder and decoder."""

from __future__ import annotations

import keras

from captioner.config import ModelConfig
from captioner.network.decoder import build_decoder
from captioner.network.encoder import Encoder


class CaptionModel(keras.Model):
    """Encoder and decoder of a `ModelConfig`.

    Args:
        config: how to build it.
        vocabulary_size: entries of the vocabulary.
        encoder: an encoder already built, or None for one with random weights.
        **regularisation: `dropout`, `input_dropout`, `state_dropout` and `seed` of the decoder.

    Inputs: {"images": uint8 (batch, size, size, 3) or "annotations": (batch, locations, channels),
    "words": ids (batch, captions, time)}.
    Output: what `Decoder.call` returns.
    """

    def __init__(self, config: ModelConfig, vocabulary_size: int, encoder: Encoder | None = None, **regularisation):
        super().__init__(name="caption_model")
        self.config = config
        self.encoder = encoder or Encoder(config.encoder, name="encoder")
        self.decoder = build_decoder(
            config, vocabulary_size, self.encoder.grid, self.encoder.channels, **regularisation
        )
        self.built = True

    def call(self, inputs, training=False):
        annotations = (
            inputs["annotations"] if "annotations" in inputs else self.encoder(inputs["images"], training=training)
        )
        return self.decoder(annotations, inputs["words"], training=training)
