"""The loss of hard attention: by hand, and as a learner."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.network.attention.hard import Hard
from captioner.vocabulary import PAD
from training.engine.reinforce import Reinforce


def outputs(right, chosen, entropy):
    """Two captions of one picture and two words each, of which the second caption has one: a vocabulary of two words,
    with the right one's probability given."""
    right = np.array(right)
    logits = np.log(np.stack([np.zeros_like(right) + 1e-9, 1 - right, right], axis=-1))
    given = {"logits": logits, "choice_log_probability": np.log(chosen), "attention_entropy": np.array(entropy)}
    return {name: keras.ops.convert_to_tensor(value.astype("float32")) for name, value in given.items()}


TARGETS = np.array([[[2, 2], [2, PAD]]], "int32")
GIVEN = outputs([[[0.5, 0.25], [0.8, 0.1]]], [[[0.5, 0.5], [0.2, 0.9]]], [[[1.0, 3.0], [2.0, 99.0]]])


def test_by_hand():
    """Rewards are mean log-probabilities, the first baseline is their mean, and padding counts for nothing."""
    rewards = np.array([np.log(0.5 * 0.25) / 2, np.log(0.8)])
    chosen = np.array([np.log(0.5), np.log(0.2)])
    baseline = rewards.mean()
    expected = -((rewards - baseline) * chosen).mean() - 0.1 * (1 + 3 + 2) / 3
    reinforce = Reinforce(entropy=0.1)
    assert float(reinforce.loss(GIVEN, TARGETS)) == pytest.approx(expected, rel=1e-4)
    # The second batch is held against the average that the first one left, and moves it by a tenth.
    better = outputs([[[0.9, 0.9], [0.9, 0.9]]], [[[0.5, 0.5], [0.5, 0.5]]], np.zeros((1, 2, 2)))
    expected = -(np.log(0.9) - baseline) * np.log(0.5)
    assert float(reinforce.loss(better, TARGETS)) == pytest.approx(expected, rel=1e-4)
    assert float(reinforce.baseline) == pytest.approx(0.9 * baseline + 0.1 * np.log(0.9), rel=1e-4)


def test_the_reward_is_no_way_for_gradients():
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(GIVEN["logits"])
        loss = Reinforce().loss(GIVEN, TARGETS)
    assert tape.gradient(loss, GIVEN["logits"]) is None


def test_it_learns_where_to_look():
    """One of four places makes the right word likely; only drawn places and what came of them tell which."""
    import tensorflow as tf

    scores = tf.Variable(np.zeros((1, 1, 4), "float32"))
    layer, reinforce, good = Hard(seed=1), Reinforce(entropy=0.0), 2
    targets = np.full((1, 64, 1), 2, "int32")
    chances = tf.constant([0.1, 0.1, 0.9, 0.1])
    state = layer.initial_state((1, 64), training=True)
    for _ in range(25):
        with tf.GradientTape() as tape:
            used, _, state, report = layer.normalise(tf.tile(scores, (1, 64, 1)), None, state)
            right = tf.stop_gradient(tf.reduce_sum(used * chances, axis=-1))
            logits = tf.math.log(tf.stack([0.0 * right + 1e-9, 1 - right, right], axis=-1))[:, :, None]
            given = {"logits": logits, **{name: value[..., None] for name, value in report.items()}}
            loss = reinforce.loss(given, targets)
        scores.assign_sub(4.0 * tape.gradient(loss, scores))
    assert int(tf.argmax(scores[0, 0])) == good
    assert float(tf.nn.softmax(scores)[0, 0, good]) > 0.8
