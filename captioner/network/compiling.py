"""Whether Keras hands a step over to the compiler of its backend as a whole."""

from __future__ import annotations

import keras


def whole_steps() -> bool:
    """For `compile(jit_compile=…)`: JAX runs one operation after the other otherwise.

    TensorFlow traces a graph in any case, and its compiler would make that anew for every shape.
    """
    return keras.backend.backend() == "jax"
