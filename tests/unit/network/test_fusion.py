"""Loops that are compiled into one: the same numbers, in the graphs that ask for it and nowhere else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.network.attention import AdditiveAttention
from captioner.network.attention.fusion import fused, fusing

on_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="other backends compile by themselves"
)


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


def traced_by(compiler, attention):
    """A graph of an attention's scores for batches of any size, and the compiled functions that it calls."""
    import tensorflow as tf

    attend = lambda query, keys: attention.score(query, {"keys": keys})
    traced = tf.function(attend, [tf.TensorSpec((None, 2, 3)), tf.TensorSpec((None, 5, 8))])
    with fusing(compiler):
        operations = traced.get_concrete_function().graph.get_operations()
    compiled = [node.node_def.attr["f"].func.name for node in operations if node.node_def.attr["_XlaMustCompile"].b]
    return traced, attend, compiled


def additive(heads=1):
    attention = AdditiveAttention(8, heads)
    attention.build((None, 5, 4), (None, None, 3))
    return attention


@on_tensorflow
@pytest.mark.parametrize("heads", [1, 2])
def test_scores_are_the_same_for_batches_of_any_size(heads):
    from captioner.runtimes.tensorflow_ops import OneLoop

    traced, attend, compiled = traced_by(OneLoop(), additive(heads))
    assert compiled
    rng = np.random.default_rng(0)
    for batch in (1, 3):
        query, keys = (rng.normal(size=size).astype(np.float32) for size in [(batch, 2, 3), (batch, 5, 8)])
        np.testing.assert_allclose(traced(query, keys), attend(query, keys), atol=1e-6)


@on_tensorflow
def test_a_graph_that_is_traced_again_takes_what_was_compiled():
    """TensorFlow keeps what XLA compiled for good, under the name of the trace: new names would fill the memory."""
    from captioner.runtimes.tensorflow_ops import OneLoop

    compiler, attention = OneLoop(), additive()
    (first,), (again,), (other,) = (traced_by(compiler, one)[2] for one in (attention, attention, additive()))
    assert first == again != other
