"""What TensorFlow does in one pass over memory and `keras.ops` in several."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


class OneLoop:
    """`function` of tensors to a tensor, compiled by XLA: a tenth of a second for each new shape.

    TensorFlow never frees what XLA compiled, and finds it again by the name that a trace has. So each function is made
    once, and a graph that is traced again takes what was compiled for its shapes before.
    """

    def __init__(self):
        self._made: dict[Callable, Callable] = {}

    def __call__(self, function: Callable) -> Callable:
        if function not in self._made:
            self._made[function] = tf.function(function, jit_compile=True)
        compiled = self._made[function]

        def run(*tensors):
            result = compiled(*tensors)
            return tf.ensure_shape(result, result.shape)  # which TensorFlow's optimizer would not know otherwise

        return run


def adam_step(optimizer, place: int, variable, gradient, rate) -> None:
    """What `keras.optimizers.Adam.update_step` does to one variable.

    Args:
        optimizer: a `keras.optimizers.Adam`.
        place: of the variable among the optimizer's.
        variable: TensorFlow's own.
        gradient: a tensor, or the rows of one.
        rate: of learning.
    """
    steps = tf.cast(optimizer.iterations.value + 1, variable.dtype)
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[place].value.handle,
        v=optimizer._velocities[place].value.handle,
        beta1_power=optimizer.beta_1**steps,
        beta2_power=optimizer.beta_2**steps,
        lr=tf.cast(rate, variable.dtype),
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=tf.convert_to_tensor(gradient),
    )
