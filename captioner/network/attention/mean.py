"""No attention: the baseline that attention has to beat."""

from __future__ import annotations

import numpy as np
from keras import ops

from captioner.network.attention.base import Attention


class MeanAttention(Attention):
    """The mean annotation vector at every word: alpha_i = 1 / L, whatever is asked.

    Vinyals et al. show their decoder one feature of the whole picture, before the first word; here it is seen
    at every word, as other mechanisms see theirs, so that the difference between them is attention alone.

    Args:
        units: not used.

    Reference:
        Vinyals et al. 2015, "Show and tell: a neural image caption generator".
    """

    def build_score(self, annotations_shape, query_shape):
        self.locations = annotations_shape[-2]

    def keys(self, annotations):
        return {}

    def score(self, query, memory):
        scores = ops.zeros_like(query[..., :1]) + np.zeros(self.locations, "float32")
        return scores if self.heads == 1 else ops.repeat(scores[:, :, None], self.heads, axis=2)
