"""Loops that are compiled into one: the same numbers, in the graphs that ask for it and nowhere else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.network.attention import AdditiveAttention
from captioner.network.attention.fusion import fused, fusing


def squares_less(a, b):
    return keras.ops.square(a) - b


def twice(function):
    """A compiler whose work shows."""
    return lambda *tensors: 2 * function(*tensors)


def test_only_what_is_traced_inside_is_compiled():
    tensors = [keras.ops.convert_to_tensor(values) for values in ([3.0, -2.0], [1.0, 5.0])]
    assert fused(squares_less) is squares_less
    with fusing(twice):
        np.testing.assert_allclose(fused(squares_less)(*tensors), [16.0, -2.0])
    assert fused(squares_less) is squares_less


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends compile by themselves")
@pytest.mark.parametrize("heads", [1, 2])
def test_scores_are_the_same_for_batches_of_any_size(heads):
    import tensorflow as tf

    from captioner.runtimes.tensorflow_ops import one_loop

    attention = AdditiveAttention(8, heads)
    attention.build((None, 5, 4), (None, None, 3))
    attend = lambda query, keys: attention.score(query, {"keys": keys})
    traced = tf.function(attend, [tf.TensorSpec((None, 2, 3)), tf.TensorSpec((None, 5, 8))])
    with fusing(one_loop):
        graph = traced.get_concrete_function().graph
    assert any(node.node_def.attr["_XlaMustCompile"].b for node in graph.get_operations())
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        query, keys = (rng.normal(size=size).astype(np.float32) for size in [(batch, 2, 3), (batch, 5, 8)])
        np.testing.assert_allclose(traced(query, keys), attend(query, keys), atol=1e-6)
