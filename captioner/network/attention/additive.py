"""Additive attention, "concat" in Luong et al. 2015."""

from __future__ import annotations

from typing import Self

import keras
import numpy as np
from keras import ops

from captioner.config import AttentionConfig
from captioner.network.attention.base import Attention
from captioner.network.attention.fusion import fused
from captioner.network.attention.product import product


class AdditiveAttention(Attention):
    """A small network compares query and location: the mechanism of "Show, Attend and Tell", and the default.

    e_i = v . f(W_a a_i + U h + b), alpha = softmax(e), context = sum_i alpha_i a_i.

    Args:
        units: length of the hidden layer that compares query and location.
        activation: f, "tanh" in the papers; "sigmoid" or "relu".
        **shape: `heads`, `normaliser` and `sentinel` of `Attention`.

    Reference:
        Xu et al. 2015, "Show, Attend and Tell", equations 4 to 6 and section 4.2; Bahdanau et al. 2015, "Neural machine
        translation by jointly learning to align and translate".
    """

    score_weights = ("score_vector",)

    def __init__(self, units: int, *shape, activation: str = "tanh", **kwargs):
        super().__init__(units, *shape, **kwargs)
        self.activation = keras.activations.get(activation)

    @classmethod
    def from_config(cls, config: AttentionConfig, normaliser, surroundings, **kwargs) -> Self:
        return super().from_config(config, normaliser, surroundings, activation=config.activation, **kwargs)

    def build_score(self, annotations_shape, query_shape):
        self.annotation_kernel = self.add_weight((annotations_shape[-1], self.units), "glorot_uniform", name="W_a")
        self.query_kernel = self.add_weight((query_shape[-1], self.units), "glorot_uniform", name="U")
        self.bias = self.add_weight((self.units,), "zeros", name="b")
        self.score_vector = self.add_weight((self.units, 1), "glorot_uniform", name="v")
        # Which head each unit belongs to: a product with these columns sums every head's units for itself.
        self._heads = np.repeat(np.eye(self.heads, dtype="float32"), self.units // self.heads, axis=0)

    def keys(self, annotations):
        return {"keys": ops.matmul(annotations, self.annotation_kernel)}

    def compare(self, query, kernel, keys, columns):
        """f(W_a a_i + U h + b) times a matrix: (batch, queries, locations, columns)."""
        asked = product(query, kernel) + self.bias  # fewer numbers here than in the keys
        return fused(self._compared)(keys, asked, ops.cast(columns, keys.dtype))

    def _compared(self, keys, asked, columns):
        # The state has to be inside f: outside of it softmax would cancel it and every word get one mask.
        return product(self.activation(keys[:, None] + asked[:, :, None]), columns)

    def score(self, query, memory):
        if self.heads == 1:
            return self.compare(query, self.query_kernel, memory["keys"], self.score_vector)[..., 0]
        columns = ops.cast(self.score_vector, "float32") * self._heads
        return ops.transpose(self.compare(query, self.query_kernel, memory["keys"], columns), (0, 1, 3, 2))
