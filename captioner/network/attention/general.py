"""Multiplicative attention."""

from __future__ import annotations

from keras import ops

from captioner.network.attention.dot import ProductAttention
from captioner.network.attention.product import product


class GeneralAttention(ProductAttention):
    """e_i = h . W_a a_i: one matrix brings annotation vectors to the length of the query.

    Args:
        units: not used by the score; the width of several heads' values.
        **shape: `heads`, `normaliser` and `sentinel` of `Attention`; each head asks with all of the query.

    Reference:
        Luong et al. 2015, "Effective approaches to attention-based neural machine translation", equation 8, "general".
    """

    score_weights = ("annotation_kernel",)

    def build_score(self, annotations_shape, query_shape):
        shape = (annotations_shape[-1], query_shape[-1] * self.heads)
        self.annotation_kernel = self.add_weight(shape, "glorot_uniform", name="W_a")

    def annotation_keys(self, annotations):
        return product(annotations, ops.cast(self.annotation_kernel, annotations.dtype))

    def queries(self, query):
        return query if self.heads == 1 else ops.tile(query, (1, 1, self.heads))
