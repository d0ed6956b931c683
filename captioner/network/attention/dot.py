"""Attention by products of query and location, and its plainest kind."""

from __future__ import annotations

import abc

from keras import ops

from captioner.errors import ConfigError
from captioner.network.attention.base import Attention
from captioner.network.attention.product import to_heads


class ProductAttention(Attention):
    """Scores that are products of a query and a key: e_i = q . k_i, for each head over columns of its own.

    A subclass says what is a query and what a key: `queries`, `annotation_keys`.
    """

    @abc.abstractmethod
    def annotation_keys(self, annotations):
        """(batch, locations, heads * size)"""

    @abc.abstractmethod
    def queries(self, query):
        """(batch, queries, heads * size)"""

    def keys(self, annotations):
        return {"keys": to_heads(self.annotation_keys(annotations), self.heads)}

    def score(self, query, memory):
        asked = to_heads(self.queries(query), self.heads)
        scores = ops.matmul(asked, ops.swapaxes(memory["keys"], -1, -2))
        return scores if self.heads == 1 else ops.swapaxes(scores, 1, 2)


class DotAttention(ProductAttention):
    """e_i = h . a_i, without weights of its own.

    Query and annotation vectors must have one length; a grid context ("linear" is the plainest) gives the annotation
    vectors that of the query.

    Args:
        units: not used by the score; the width of several heads' values.
        **shape: `heads`, `normaliser` and `sentinel` of `Attention`.

    Raises:
        ConfigError: query and annotation vectors differ in length.

    Reference:
        Luong et al. 2015, "Effective approaches to attention-based neural machine translation", equation 8, "dot".
    """

    def build_score(self, annotations_shape, query_shape):
        if annotations_shape[-1] != query_shape[-1]:
            raise ConfigError(
                f"attention 'dot' takes annotation vectors as long as its query, which has {query_shape[-1]} numbers: "
                f"set "
                f'context.kind = "linear" and context.units = {query_shape[-1]}. Received: {annotations_shape[-1]}'
            )

    def annotation_keys(self, annotations):
        return annotations

    def queries(self, query):
        return query
