"""One loop over memory where TensorFlow's graph would make one for each operation.

XLA compiles such a loop in a tenth of a second, once for each shape. That pays where a network in memory writes many
captions; training and exported graphs stay as they are: gradients gain nothing by it, and others may lack XLA.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator

import keras

_FUSING = contextvars.ContextVar("fusing", default=False)


@contextlib.contextmanager
def fusing() -> Iterator[None]:
    """What is traced inside is made with one loop for each `fused` function."""
    token = _FUSING.set(keras.backend.backend() == "tensorflow")
    try:
        yield
    finally:
        _FUSING.reset(token)


def fused(function: Callable) -> Callable:
    """`function` of tensors to a tensor, as one loop inside `fusing()` and as it is elsewhere."""
    if not _FUSING.get():
        return function
    import tensorflow as tf

    def run(*tensors):
        result = tf.function(function, jit_compile=True)(*tensors)
        return tf.ensure_shape(result, result.shape)  # which TensorFlow's optimizer would not know otherwise

    return run
