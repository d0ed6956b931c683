"""Every term worked out by hand; padding counts for nothing."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.vocabulary import PAD
from training.engine import losses

TARGETS = np.array([[[4, 2, PAD]]], np.int32)


def logits():
    values = np.zeros((1, 1, 3, 5), np.float32)
    values[0, 0, 0, 4] = np.log(4.0)  # probabilities 4/8 for the right word, 1/8 for the others
    values[0, 0, 1, 2] = np.log(12.0)  # 12/16
    values[0, 0, 2, 0] = 50.0  # padding: whatever is here must not matter
    return values


def test_cross_entropy_by_hand():
    expected = -(np.log(4 / 8) + np.log(12 / 16)) / 2
    assert float(losses.cross_entropy(logits(), TARGETS)) == pytest.approx(expected, rel=1e-5)


def test_label_smoothing_by_hand():
    first = 0.9 * -np.log(4 / 8) + 0.1 * -(np.log(4 / 8) + 4 * np.log(1 / 8)) / 5
    second = 0.9 * -np.log(12 / 16) + 0.1 * -(np.log(12 / 16) + 4 * np.log(1 / 16)) / 5
    assert float(losses.cross_entropy(logits(), TARGETS, 0.1)) == pytest.approx((first + second) / 2, rel=1e-5)


def test_accuracy_by_hand():
    wrong = logits()
    wrong[0, 0, 1, 3] = 9.0
    assert float(losses.accuracy(logits(), TARGETS)) == 1.0
    assert float(losses.accuracy(wrong, TARGETS)) == 0.5


def test_doubly_stochastic_by_hand():
    weights = np.array([[[[0.5, 0.5], [1.0, 0.0], [0.3, 0.7]]]], np.float32)
    # Two real words look 1.5 and 0.5 in all: (1 - 1.5)^2 + (1 - 0.5)^2; the padded step is left out.
    assert float(losses.doubly_stochastic(weights, TARGETS)) == pytest.approx(0.5)


def test_outside_boxes_by_hand():
    weights = np.array([[[[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]]]], np.float32)
    shares = np.array([[[[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]], np.float32)
    assert float(losses.outside_boxes(weights, shares)) == pytest.approx(-np.log(0.25), rel=1e-4)
    assert float(losses.outside_boxes(weights, np.zeros_like(shares))) == 0.0


def test_padding_changes_nothing():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(2, 3, 4, 6)).astype("f4"), rng.random((2, 3, 4, 5)).astype("f4")
    targets = rng.integers(1, 6, (2, 3, 4)).astype("i4")
    shares = (rng.random(weights.shape) < 0.4).astype("f4")
    longer = [
        np.concatenate([a, np.full_like(a, fill)], axis=2) for a, fill in ((values, 3), (weights, 1), (shares, 0))
    ]
    padded = np.concatenate([targets, np.full_like(targets, PAD)], axis=2)
    for short, long in [
        (losses.cross_entropy(values, targets, 0.1), losses.cross_entropy(longer[0], padded, 0.1)),
        (losses.accuracy(values, targets), losses.accuracy(longer[0], padded)),
        (losses.doubly_stochastic(weights, targets), losses.doubly_stochastic(longer[1], padded)),
        (losses.outside_boxes(weights, shares), losses.outside_boxes(longer[1], longer[2])),
    ]:
        assert float(short) == pytest.approx(float(long), rel=1e-5)


def test_an_empty_caption_counts_for_nothing():
    values = np.concatenate([logits(), logits() + 3], axis=1)
    targets = np.concatenate([TARGETS, np.zeros_like(TARGETS)], axis=1)
    assert float(losses.cross_entropy(values, targets)) == pytest.approx(
        float(losses.cross_entropy(logits(), TARGETS)), rel=1e-5
    )
