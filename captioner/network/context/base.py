"""What every context over the grid has in common."""

from __future__ import annotations

import keras

from captioner.config import ContextConfig
from captioner.errors import ConfigError


class Context(keras.layers.Layer):
    """Makes annotation vectors of annotation vectors: (batch, locations, channels) -> (batch, locations, size).

    It is applied once a picture. Where vectors have seen each other, a mask over them says where the network read
    something, no longer that it came from nowhere else.

    Args:
        config: the description.
        grid: rows and columns.
    """

    def __init__(self, config: ContextConfig, grid: tuple[int, int], **kwargs):
        super().__init__(**kwargs)
        self.config, self.grid = config, grid

    def size(self, channels: int) -> int:
        """Length of the vectors that come out, of those with `channels` numbers."""
        return self.config.units

    def split(self, parts: int, key: str) -> int:
        """`units` / `parts`.

        Raises:
            ConfigError: that is no whole number.
        """
        if self.config.units % parts:
            raise ConfigError(f"context.units is a multiple of {key} {parts}. Received: {self.config.units}")
        return self.config.units // parts


class NoContext(Context):
    """Annotation vectors as the encoder made them: each has seen its neighbourhood through the CNN alone."""

    def size(self, channels):
        return channels

    def build(self, annotations_shape):
        pass

    def call(self, annotations):
        return annotations
