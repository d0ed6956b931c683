"""The optimizer: the same weights as Keras' AdamW gives, the encoder at its own rate, the rate's rise and fall."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from training.engine.optimizer import TwoRateAdamW, WarmUpCosine

SETTINGS = {
    "learning_rate": 0.1,
    "weight_decay": 0.04,
    "beta_2": 0.98,
    "global_clipnorm": 1.0,
    "use_ema": True,
    "ema_momentum": 0.9,
}


def variables():
    rng = np.random.default_rng(0)
    return [keras.Variable(rng.normal(size=size).astype(np.float32), name=f"v{size}") for size in (3, 5)]


def gradients(step):
    rng = np.random.default_rng(step + 1)
    return [ops.convert_to_tensor(rng.normal(size=size).astype(np.float32)) for size in (3, 5)]


def after(optimizer, steps=4):
    mine = variables()
    for step in range(steps):
        optimizer.apply(gradients(step), mine)
    return [keras.ops.convert_to_numpy(variable) for variable in mine], optimizer


def test_it_is_keras_adamw():
    ours, of_ours = after(TwoRateAdamW(**SETTINGS))
    theirs, of_theirs = after(keras.optimizers.AdamW(**SETTINGS))
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)
    for mine, its in zip(of_ours.variables, of_theirs.variables, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(mine), ops.convert_to_numpy(its), atol=1e-6)


def test_the_first_step_is_as_long_as_the_rate_and_the_encoders_its_share():
    """Adam's first step is rate * g / (|g| + epsilon), whatever the gradient's size."""
    mine = variables()
    before = [ops.convert_to_numpy(variable).copy() for variable in mine]
    optimizer = TwoRateAdamW(0.25, frozenset([mine[0].path]), learning_rate=0.1, weight_decay=0.004)
    optimizer.weight_decay = None
    optimizer.apply(gradients(0), mine)
    for variable, old, gradient, step in zip(mine, before, gradients(0), (0.025, 0.1), strict=True):
        moved = ops.convert_to_numpy(variable) - old
        np.testing.assert_allclose(moved, -step * np.sign(ops.convert_to_numpy(gradient)), atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="rows are how TensorFlow hands gradients over")
def test_rows_named_twice_are_added():
    import tensorflow as tf

    rows = tf.IndexedSlices(tf.constant([[1.0], [2.0], [4.0]]), tf.constant([0, 2, 0]), tf.constant([3, 1]))
    whole = tf.constant([[5.0], [0.0], [2.0]])
    tables = []
    for gradient in (rows, whole):
        table = keras.Variable(np.ones((3, 1), np.float32))
        TwoRateAdamW(learning_rate=0.1, epsilon=1.0).apply([gradient], [table])
        tables.append(ops.convert_to_numpy(table))
    np.testing.assert_allclose(tables[0], tables[1], atol=1e-6)
    assert tables[0][0] < tables[0][2] < tables[0][1]


def test_the_rate_rises_to_its_peak_and_falls_by_half_a_cosine():
    rate = WarmUpCosine(peak=2.0, steps=12, warm_up=4, final_share=0.1)
    assert [float(rate(step)) for step in (0, 1, 3)] == pytest.approx([0.5, 1.0, 2.0])
    assert [float(rate(step)) for step in (4, 8, 12)] == pytest.approx([2.0, 1.1, 0.2])
