"""Attention that does not look at what it looks for."""

from __future__ import annotations

from captioner.errors import ConfigError
from captioner.network.attention.base import Attention
from captioner.network.attention.product import product, split_last


class LocationAttention(Attention):
    """e = W_a h: a score for each place, whatever is there.

    Args:
        units: not used by the score; the width of several heads' values.
        **shape: `heads`, `normaliser` and `sentinel` of `Attention`.

    Raises:
        ConfigError: the number of locations is not known when it is built.

    Reference:
        Luong et al. 2015, "Effective approaches to attention-based neural machine translation", equation 9.
    """

    score_weights = ("query_kernel",)

    def build_score(self, annotations_shape, query_shape):
        locations = annotations_shape[-2]
        if locations is None:
            raise ConfigError("attention 'location' has a weight for each location and must know their number")
        shape = (query_shape[-1], locations * self.heads)
        self.query_kernel = self.add_weight(shape, "glorot_uniform", name="W_a")

    def keys(self, annotations):
        return {}

    def score(self, query, memory):
        scores = product(query, self.query_kernel)
        return scores if self.heads == 1 else split_last(scores, self.heads)
