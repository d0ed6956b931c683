"""Self-attention over the grid."""

from __future__ import annotations

import math

import keras
import numpy as np
from keras import ops

from captioner.network.attention.product import from_heads, product, to_heads
from captioner.network.context.linear import LinearContext
from captioner.network.context.patterns import pattern
from captioner.network.context.positions import encode_grid

OUT_OF_REACH = -1e9


def gelu(x):
    """x times the standard normal distribution up to x (Hendrycks & Gimpel 2016)."""
    return 0.5 * x * (1.0 + ops.erf(x / math.sqrt(2.0)))  # Keras's own uses erfc, which ONNX lacks


class FeedForward(keras.layers.Layer):
    """x + W_2 gelu(W_1 norm(x)): what every layer of a Transformer ends with.

    Args:
        hidden: length of the hidden layer.
    """

    def __init__(self, hidden: int, **kwargs):
        super().__init__(**kwargs)
        self.hidden = hidden

    def build(self, shape):
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")
        self.inner = keras.layers.Dense(self.hidden, activation=gelu, name="inner")
        self.outer = keras.layers.Dense(shape[-1], name="outer")
        self.norm.build(shape)
        self.inner.build(shape)
        self.outer.build((*shape[:-1], self.hidden))

    def call(self, x):
        return x + self.outer(self.inner(self.norm(x)))


class SelfAttentionLayer(keras.layers.Layer):
    """x + W_o heads(norm(x)), then `FeedForward`: a layer of Vaswani et al. 2017, normalised before each part.

    Args:
        heads: how many.
        allowed: which cells each cell may look at, boolean (locations, locations); None allows all.
    """

    def __init__(self, heads: int, allowed: np.ndarray | None = None, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.reach = (
            None if allowed is None or allowed.all() else np.where(allowed, 0.0, OUT_OF_REACH).astype("float32")
        )

    def build(self, shape):
        units = shape[-1]
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")
        self.norm.build(shape)
        self.input_kernel = self.add_weight((units, 3 * units), "glorot_uniform", name="W_qkv")
        self.output_kernel = self.add_weight((units, units), "glorot_uniform", name="W_o")
        self.feed_forward = FeedForward(2 * units, name="feed_forward")
        self.feed_forward.build(shape)

    def call(self, x):
        joined = ops.split(product(self.norm(x), self.input_kernel), 3, axis=-1)
        query, key, value = (to_heads(part, self.heads) for part in joined)
        mixed = self.mix(query, key, value)
        mixed = mixed if self.heads == 1 else from_heads(mixed)
        return self.feed_forward(x + product(mixed, self.output_kernel))

    def mix(self, query, key, value):
        """softmax(q . k / sqrt(d) + pattern) v, each (batch, [heads,] locations, d)."""
        scores = ops.matmul(query, ops.swapaxes(key, -1, -2)) / math.sqrt(query.shape[-1])
        scores = ops.cast(scores, "float32")
        weights = ops.softmax(scores if self.reach is None else scores + self.reach, axis=-1)
        return ops.matmul(ops.cast(weights, value.dtype), value)


class SelfAttentionContext(LinearContext):
    """Every cell asks the others: `layers` layers of self-attention over vectors that know where they are.

    The annotation vectors are brought to `units`, and a two-dimensional position encoding is added. `pattern` says
    which cells a cell may ask.

    Reference:
        Vaswani et al. 2017, "Attention is all you need"; over a grid of features, Carion et al. 2020, "End-to-end
        object detection with transformers", section 3.2.
    """

    def build(self, annotations_shape):
        super().build(annotations_shape)
        self.split(self.config.heads, "context.heads")
        self.positions = encode_grid(self.grid, self.config.units)
        self.layers = [self.layer(name=f"layer_{i}") for i in range(self.config.layers)]
        for layer in self.layers:
            layer.build((*annotations_shape[:-1], self.config.units))

    def layer(self, **kwargs):
        """One of the layers."""
        allowed = pattern(self.config.pattern, self.grid, self.config.reach)
        return SelfAttentionLayer(self.config.heads, allowed, **kwargs)

    def call(self, annotations):
        x = super().call(annotations)
        x = x + ops.cast(self.positions, x.dtype)
        for layer in self.layers:
            x = layer(x)
        return x
