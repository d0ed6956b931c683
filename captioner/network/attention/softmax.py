"""Global, soft attention: every location has a share."""

from __future__ import annotations

from keras import ops

from captioner.network.attention.normaliser import Normaliser


class Softmax(Normaliser):
    """alpha_i = exp(e_i) / sum_k exp(e_k), in float32 whatever the scores are (Xu et al. 2015, equation 5)."""

    def normalise(self, scores, query, state):
        scores = ops.cast(scores, "float32")
        # TensorFlow's own wakes every thread for these few numbers.
        shares = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        weights = shares / ops.sum(shares, axis=-1, keepdims=True)
        return weights, weights, state, {}
