"""Loops that are compiled into one: the same numbers, for the batches of a network in memory and nowhere else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.attention import AdditiveAttention
from captioner.fusion import fused, fusing

tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends do so themselves")


def squares_less(a, b):
    return keras.ops.square(a) - b


def test_outside_it_is_the_function_itself():
    assert fused(squares_less) is squares_less
    with fusing():
        pass
    assert fused(squares_less) is squares_less


def test_inside_it_gives_the_same():
    with fusing():
        result = fused(squares_less)(keras.ops.convert_to_tensor([3.0, -2.0]), keras.ops.convert_to_tensor([1.0, 5.0]))
    np.testing.assert_allclose(result, [8.0, -1.0])


@tensorflow
@pytest.mark.parametrize("heads", [1, 2])
def test_scores_are_the_same_for_batches_of_any_size(heads):
    import tensorflow as tf

    attention = AdditiveAttention(8, heads)
    attention.build((None, 5, 4), (None, None, 3))
    attend = lambda query, keys: attention.score(query, {"keys": keys})
    signature = [tf.TensorSpec((None, 2, 3)), tf.TensorSpec((None, 5, 8))]
    traced = tf.function(attend, signature)
    with fusing():
        graph = traced.get_concrete_function().graph
    assert any("MustCompile" in name for node in graph.get_operations() for name in _compiled(node))
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        query, keys = (rng.normal(size=size).astype(np.float32) for size in [(batch, 2, 3), (batch, 5, 8)])
        np.testing.assert_allclose(traced(query, keys), attend(query, keys), atol=1e-6)


def _compiled(operation) -> list[str]:
    """Attributes of a node that have XLA compile it."""
    return [name for name, value in operation.node_def.attr.items() if name == "_XlaMustCompile" and value.b]
