"""Attention over a grid of annotation vectors, behind one interface.

A mechanism is a Keras layer with three methods:

- `prepare(annotations, values) -> memory`, once a picture: whatever needs no query, keys for instance. The context is a
  weighted sum of `values`, which are the annotation vectors or a linear map of them;
- `initial_state(memory, queries) -> state`, what it carries from word to word; an empty tuple where it carries nothing;
- `attend(query, memory, state) -> (context, weights, state, extras)`, once a word.

Several queries of one picture (beams, or its five training captions) share its memory: queries are
(batch, queries, query_size), masks (batch, queries, locations). `extras` is a dictionary of further tensors to
report, such as "heads" (batch, queries, heads, locations) or "sentinel" (batch, queries).
"""

from __future__ import annotations

import keras
from keras import ops

from captioner.config import AttentionConfig
from captioner.errors import ConfigError


def product(x, kernel):
    """x @ kernel for a matrix `kernel`, as one product of two matrices, which backends do quickest."""
    flat = ops.matmul(ops.reshape(x, (-1, x.shape[-1])), kernel)
    lead = x.shape[1:-1] if None not in x.shape[1:-1] else ops.shape(x)[1:-1]
    return ops.reshape(flat, (-1, *lead, kernel.shape[-1]))


class AdditiveAttention(keras.layers.Layer):
    """Soft additive attention.

    e_i = v . tanh(W_a a_i + U h + b), alpha = softmax(e), context = sum_i alpha_i a_i.

    Args:
        units: length of the hidden layer that compares query and location.

    Shapes:
        annotations: (batch, locations, channels)
        query: (batch, queries, query_size)
        context: (batch, queries, channels); weights: (batch, queries, locations), each row sums to 1.

    Reference:
        Xu et al. 2015, "Show, Attend and Tell", equations 4 to 6 and section 4.2; Bahdanau et al. 2015.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, annotations_shape, query_shape):
        self.annotation_kernel = self.add_weight((annotations_shape[-1], self.units), "glorot_uniform", name="W_a")
        self.query_kernel = self.add_weight((query_shape[-1], self.units), "glorot_uniform", name="U")
        self.bias = self.add_weight((self.units,), "zeros", name="b")
        self.score_vector = self.add_weight((self.units, 1), "glorot_uniform", name="v")

    def prepare(self, annotations, values):
        return {"values": values, "keys": ops.matmul(annotations, self.annotation_kernel) + self.bias}

    def initial_state(self, memory, queries):
        return ()

    def attend(self, query, memory, state):
        # The state has to be inside the tanh: outside of it softmax would cancel it and every word get one mask.
        compared = ops.tanh(memory["keys"][:, None] + product(query, self.query_kernel)[:, :, None])
        scores = product(compared, self.score_vector)[..., 0]
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        context = ops.matmul(ops.cast(weights, query.dtype), memory["values"])
        return context, weights, state, {}


MECHANISMS = {"additive": AdditiveAttention}


def build_attention(config: AttentionConfig) -> keras.layers.Layer:
    """The mechanism a config names.

    Raises:
        ConfigError: the registry has no such name.
    """
    if config.kind not in MECHANISMS:
        raise ConfigError(f"attention.kind is one of {', '.join(MECHANISMS)}. Received: {config.kind!r}")
    return MECHANISMS[config.kind](config.units, name="attention")
