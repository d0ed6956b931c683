"""Attention by the angle between query and location."""

from __future__ import annotations

import math

import keras
from keras import ops

from captioner.network.attention.dot import ProductAttention
from captioner.network.attention.product import join_last, product, split_last

START = (
    10.0  # 1 / temperature before training: a cosine never leaves -1 to 1, which softmax alone would hardly tell apart
)


class CosineAttention(ProductAttention):
    """e_i = cos(W_q h, W_k a_i) / tau, with a temperature tau that is learned, one for each head.

    Args:
        units: length of the vectors whose angle is taken, all heads together.
        **shape: `heads`, `normaliser` and `sentinel` of `Attention`.

    Reference:
        Graves et al. 2014, "Neural Turing machines", equations 5 and 6 (key strength 1 / tau); the temperature is
        learned as its logarithm, as in Radford et al. 2021, "Learning transferable visual models from natural language
        supervision", section 2.3.
    """

    def build_score(self, annotations_shape, query_shape):
        self.annotation_kernel = self.add_weight((annotations_shape[-1], self.units), "glorot_uniform", name="W_k")
        self.query_kernel = self.add_weight((query_shape[-1], self.units), "glorot_uniform", name="W_q")
        start = keras.initializers.Constant(math.log(START))
        self.log_strength = self.add_weight((self.heads,), start, name="log_strength")

    def annotation_keys(self, annotations):
        return self._unit(product(annotations, ops.cast(self.annotation_kernel, annotations.dtype)))

    def queries(self, query):
        directions = self._unit(product(query, self.query_kernel))
        strength = ops.repeat(ops.exp(ops.cast(self.log_strength, directions.dtype)), self.units // self.heads)
        return directions * strength

    def sharpen(self, factor: float):
        self.log_strength.assign(self.log_strength + math.log(factor))

    def _unit(self, x):
        """Each head's columns as a vector of length 1."""
        of_heads = split_last(x, self.heads)
        length = ops.sqrt(ops.sum(ops.square(of_heads), axis=-1, keepdims=True) + 1e-12)
        return join_last(of_heads / length)
