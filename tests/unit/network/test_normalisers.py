"""What makes weights of scores: by hand, and by the properties that define them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from captioner.network.attention.hard import MODULUS, Hard, draw, next_random
from captioner.network.attention.local import LocalMonotonic, LocalPredictive
from captioner.network.attention.sparsemax import Sparsemax, sparsemax


def tensor(values, dtype="float32"):
    return keras.ops.convert_to_tensor(np.asarray(values), dtype)


def test_sparsemax_by_hand():
    """(1, 0.5, -1): two are kept, tau = (1.5 - 1) / 2."""
    np.testing.assert_allclose(sparsemax(tensor([[1.0, 0.5, -1.0]])), [[0.75, 0.25, 0.0]], atol=1e-6)
    np.testing.assert_allclose(sparsemax(tensor([[3.0, 1.0, 0.0]])), [[1.0, 0.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(sparsemax(tensor([[2.0, 2.0]])), [[0.5, 0.5]], atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (4, 5), elements=st.floats(-3, 3, width=32)))
def test_sparsemax_is_the_nearest_point_of_the_simplex(scores):
    found = np.asarray(sparsemax(tensor(scores)))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)
    # The nearest point p of a convex set to x has (x - p) . (q - p) <= 0 for each of its points q: here, the corners.
    away = scores - found
    assert (away.max(-1) - (away * found).sum(-1) <= 1e-4).all()
    np.testing.assert_allclose(sparsemax(tensor(scores + 7)), found, atol=1e-4)


def test_sparsemax_keeps_a_gradient_on_its_support_only():
    import tensorflow as tf

    scores = tensor([[[1.0, 0.5, -1.0]]])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        first = Sparsemax().normalise(scores, None, ())[0][..., 0]
    # d alpha_0 / d e = 1 - 1/2, -1/2, 0 with two places in the support.
    np.testing.assert_allclose(tape.gradient(first, scores), [[[0.5, -0.5, 0.0]]], atol=1e-6)


def test_the_generator_is_the_minimal_standard():
    """Park & Miller 1988: from 1, the number after 10,000 steps is 1043618065."""
    following = tensor([1], "int32")
    for _ in range(3):
        following = next_random(following)
    assert int(following[0]) == 16807**3 % MODULUS
    number = 1
    for _ in range(10_000):
        number = 16807 * number % MODULUS
    assert number == 1043618065
    many = np.random.default_rng(0).integers(1, MODULUS, 1000)
    np.testing.assert_array_equal(next_random(tensor(many, "int32")), 16807 * many.astype("int64") % MODULUS)


def test_draws_follow_the_weights():
    weights = tensor(np.tile([0.2, 0.0, 0.3, 0.5], (1000, 1)))
    chance = tensor((np.arange(1000) + 0.5) / 1000)
    np.testing.assert_allclose(np.asarray(draw(weights, chance)).mean(0), [0.2, 0.0, 0.3, 0.5], atol=2e-3)


def test_hard_takes_the_likeliest_place_or_the_expectation():
    scores = tensor([[[0.0, np.log(3.0)]]])
    used, shown, state, _ = Hard().normalise(scores, None, ())
    np.testing.assert_array_equal(used, [[[0, 1]]])
    np.testing.assert_array_equal(shown, used)
    assert state == ()
    np.testing.assert_allclose(Hard("expectation").normalise(scores, None, ())[0], [[[0.25, 0.75]]], atol=1e-6)


def test_hard_draws_in_training_for_half_of_the_captions():
    layer = Hard(seed=3)
    scores = tensor(np.tile(np.log([0.25, 0.75]), (1, 4000, 1)))
    state = layer.initial_state((1, 4000), training=True)
    drawn = []
    for _ in range(2):
        used, shown, state, report = layer.normalise(scores, None, state)
        used, expected = np.asarray(used)[0], np.asarray(state["expected"])[0] > 0
        np.testing.assert_allclose(np.asarray(shown)[0], np.tile([0.25, 0.75], (4000, 1)), atol=1e-6)
        assert expected.mean() == pytest.approx(0.5, abs=0.03)
        np.testing.assert_allclose(used[expected], np.tile([0.25, 0.75], (expected.sum(), 1)), atol=1e-6)
        assert set(np.unique(used[~expected])) == {0.0, 1.0}
        assert used[~expected].mean(0)[1] == pytest.approx(0.75, abs=0.04)
        log_probability = np.asarray(report["choice_log_probability"])[0]
        np.testing.assert_allclose(log_probability[expected], 0, atol=1e-6)
        np.testing.assert_allclose(log_probability[~expected], np.log(used[~expected] @ [0.25, 0.75]), atol=1e-5)
        np.testing.assert_allclose(report["attention_entropy"], -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)), rtol=1e-5)
        drawn.append(used[~expected, 1])
    # The two words of a caption are drawn apart from each other.
    assert (drawn[0] * drawn[1]).mean() == pytest.approx(0.75 * 0.75, abs=0.05)


def test_local_monotonic_walks_in_raster_order():
    """A grid of 2 x 3 and six words: word t stands at cell t; a window of 1 reaches its neighbours."""
    layer = LocalMonotonic((2, 3), window=1, steps=6)
    state, shown = layer.initial_state((1, 1), training=False), []
    for _ in range(8):
        weights, _, state, _ = layer.normalise(tensor(np.zeros((1, 1, 6))), None, state)
        shown.append(np.asarray(weights)[0, 0].reshape(2, 3))
    np.testing.assert_allclose(shown[0], [[0.25, 0.25, 0], [0.25, 0.25, 0]], atol=1e-6)
    np.testing.assert_allclose(shown[1], np.full((2, 3), 1 / 6), atol=1e-6)
    np.testing.assert_allclose(shown[5], [[0, 0.25, 0.25], [0, 0.25, 0.25]], atol=1e-6)
    np.testing.assert_allclose(shown[7], shown[5], atol=1e-6)  # longer captions stay at the last cell


def test_local_monotonic_chooses_by_the_scores_within_its_window():
    layer = LocalMonotonic((2, 3), window=1, steps=6)
    scores = tensor(np.log([[[3.0, 1.0, 99.0, 1.0, 1.0, 99.0]]]))
    weights = layer.normalise(scores, None, layer.initial_state((1, 1), False))[0]
    np.testing.assert_allclose(weights, [[[0.5, 1 / 6, 0, 1 / 6, 1 / 6, 0]]], atol=1e-6)


def test_local_predictive_by_hand():
    """Zero weights predict the middle of a 3 x 3 grid; D = 2 makes sigma 1."""
    layer = LocalPredictive((3, 3), window=2, units=4)
    layer.build((None, None, 2))
    for variable in layer.trainable_weights:
        variable.assign(np.zeros(variable.shape))
    query = tensor([[[1.0, -1.0]]])
    np.testing.assert_allclose(layer.point(query), [[[1.0, 1.0]]])
    weights = np.asarray(layer.normalise(tensor(np.zeros((1, 1, 9))), query, ())[0]).reshape(3, 3)
    np.testing.assert_allclose(weights[1, 1] / weights[0, 1], np.exp(0.5), rtol=1e-5)
    np.testing.assert_allclose(weights[1, 1] / weights[0, 0], np.exp(1.0), rtol=1e-5)
    assert weights.sum() == pytest.approx(1, abs=1e-6)


def test_local_predictive_goes_where_the_query_says():
    layer = LocalPredictive((3, 3), window=1, units=2)
    layer.build((None, None, 1))
    layer.hidden_kernel.assign([[9.0, 9.0]])
    layer.point_kernel.assign([[9.0, -9.0], [9.0, -9.0]])
    point = np.asarray(layer.point(tensor([[[1.0], [-1.0]]])))
    np.testing.assert_allclose(point[0], [[2.0, 0.0], [0.0, 2.0]], atol=1e-3)
