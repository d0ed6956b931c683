"""A visual sentinel: a word may look at no place."""

from __future__ import annotations

import keras
from keras import ops

from captioner.network.attention.product import product


class Sentinel(keras.layers.Layer):
    """Adaptive attention: beside the locations stands what the decoder already knows.

    s = sigmoid(W_g q) * tanh(m), for the memory cell m; its score e_s = v . tanh(W_s s + U q) enters one softmax with
    the scores of the locations, where it gets beta = exp(e_s) / (exp(e_s) + sum_i exp(e_i)); the context becomes
    beta W_c s + (1 - beta) context. The mask stays as it is and sums to 1; beta is the weight on "no place".

    The paper shares U and v with the score of the locations; here they are the sentinel's own, so that it stands
    beside any score. With several heads beta is the mean of what each head's scores would give.

    Args:
        units: length of the hidden layer of its score.

    Reference:
        Lu et al. 2017, "Knowing when to look: adaptive attention via a visual sentinel for image captioning",
        equations 9 to 13.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, query_shape, cell_size: int, context_size: int):
        def add(name, *shape):
            return self.add_weight(shape, "glorot_uniform", name=name)

        self.gate_kernel, self.gate_bias = (
            add("W_g", query_shape[-1], cell_size),
            self.add_weight((cell_size,), "zeros", name="b_g"),
        )
        self.sentinel_kernel = add("W_s", cell_size, self.units)
        self.query_kernel = add("U", query_shape[-1], self.units)
        self.score_vector = add("v", self.units, 1)
        self.context_kernel = add("W_c", cell_size, context_size)
        self.built = True

    def mix(self, context, scores, query, cell):
        """The context with the sentinel in it, and beta (batch, queries)."""
        sentinel = ops.sigmoid(product(query, self.gate_kernel) + self.gate_bias) * ops.tanh(cell)
        compared = ops.tanh(product(sentinel, self.sentinel_kernel) + product(query, self.query_kernel))
        score = ops.cast(product(compared, self.score_vector), "float32")
        of_locations = ops.logsumexp(ops.cast(scores, "float32"), axis=-1)
        if len(scores.shape) == 3:
            of_locations = of_locations[..., None]
        weight = ops.mean(ops.sigmoid(score - of_locations), axis=-1)
        share = ops.cast(weight, context.dtype)[..., None]
        return share * product(sentinel, self.context_kernel) + (1.0 - share) * context, weight
