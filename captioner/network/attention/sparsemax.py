"""Sparse attention: locations that answer little get nothing at all."""

from __future__ import annotations

from keras import ops

from captioner.network.attention.normaliser import Normaliser


def sparsemax(scores):
    """The point of the simplex that is nearest to `scores`, along the last axis.

    alpha_i = max(e_i - tau, 0), with tau such that they sum to 1 (Martins & Astudillo 2016, algorithm 1).
    """
    size = scores.shape[-1]
    ordered, _ = ops.top_k(scores, size)
    total = ops.cumsum(ordered, axis=-1)
    rank = ops.arange(1, size + 1, dtype=scores.dtype)
    support = ops.cast(1.0 + rank * ordered > total, scores.dtype)
    threshold = (ops.sum(ordered * support, axis=-1, keepdims=True) - 1.0) / ops.sum(support, axis=-1, keepdims=True)
    return ops.maximum(scores - threshold, 0.0)


class Sparsemax(Normaliser):
    """Weights by `sparsemax`.

    Reference:
        Martins & Astudillo 2016, "From softmax to sparsemax: a sparse model of attention and multi-label
        classification".
    """

    def normalise(self, scores, query, state):
        weights = sparsemax(ops.cast(scores, "float32"))
        return weights, weights, state, {}
