"""Scaled dot-product attention with projections."""

from __future__ import annotations

import math

from keras import ops

from captioner.network.attention.dot import ProductAttention
from captioner.network.attention.product import product


class ScaledDotAttention(ProductAttention):
    """e_i = (W_q h) . (W_k a_i) / sqrt(d), context = sum_i alpha_i W_v a_i, for d = `units` / `heads`.

    Args:
        units: length of projected queries, keys and values, all heads together.
        **shape: `heads`, `normaliser` and `sentinel` of `Attention`.

    Reference:
        Vaswani et al. 2017, "Attention is all you need", equation 1.
    """

    projects_values = True
    score_weights = ("query_kernel",)

    def build_score(self, annotations_shape, query_shape):
        self.annotation_kernel = self.add_weight((annotations_shape[-1], self.units), "glorot_uniform", name="W_k")
        self.query_kernel = self.add_weight((query_shape[-1], self.units), "glorot_uniform", name="W_q")

    def annotation_keys(self, annotations):
        return product(annotations, ops.cast(self.annotation_kernel, annotations.dtype))

    def queries(self, query):
        return product(query, self.query_kernel) / math.sqrt(self.units // self.heads)
