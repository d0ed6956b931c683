"""Soft additive attention: numbers by hand, and the traps."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner import ConfigError
from captioner.attention import AdditiveAttention, build_attention
from captioner.config import AttentionConfig


def attention(units=1, channels=1, query=1, **weights):
    layer = AdditiveAttention(units)
    layer.build((None, None, channels), (None, None, query))
    for name, value in weights.items():
        getattr(layer, name).assign(np.reshape(value, getattr(layer, name).shape))
    return layer


def attend(layer, annotations, query):
    annotations = keras.ops.convert_to_tensor(annotations, "float32")
    memory = layer.prepare(annotations)
    context, weights, _, _ = layer.attend(keras.ops.convert_to_tensor(query, "float32"), memory, ())
    return np.asarray(context), np.asarray(weights)


def test_by_hand():
    """One unit: e_i = 2 tanh(a_i + 0.5 h) with h = 1 and a = (0, 1)."""
    layer = attention(annotation_kernel=1.0, query_kernel=0.5, bias=0.0, score_vector=2.0)
    context, weights = attend(layer, [[[0.0], [1.0]]], [[[1.0]]])
    scores = 2 * np.tanh([0.5, 1.5])
    expected = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(weights[0, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(context[0, 0], [expected[1]], rtol=1e-6)


def test_masks_sum_to_one_and_follow_the_query():
    rng = np.random.default_rng(0)
    layer = attention(units=5, channels=4, query=3)
    _, weights = attend(layer, rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 3, 3)) * 3)
    assert weights.shape == (2, 3, 6)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert np.abs(weights[:, 0] - weights[:, 1]).max() > 1e-3  # outside the tanh the query would cancel


def test_queries_of_a_picture_do_not_touch_each_other():
    rng = np.random.default_rng(1)
    layer = attention(units=5, channels=4, query=3)
    annotations, query = rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 3, 3))
    together = attend(layer, annotations, query)[0]
    alone = np.concatenate([attend(layer, annotations, query[:, i : i + 1])[0] for i in range(3)], axis=1)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_an_unknown_mechanism_names_those_there_are():
    with pytest.raises(ConfigError, match="attention.kind is one of additive, dot, .*. Received: 'psychic'"):
        build_attention(AttentionConfig(kind="psychic"))
