"""What annotation vectors learn of each other: by hand, and who may look at whom."""

from __future__ import annotations

import numpy as np
import pytest

from captioner import ConfigError
from captioner.config import ContextConfig
from captioner.network.context import build_context
from captioner.network.context.patterns import pairs, pattern
from captioner.network.context.positions import encode_grid, encode_positions

GRID, CHANNELS = (3, 4), 5


def make(grid=GRID, **config):
    context = build_context(ContextConfig.parse({"units": 8, **config}), grid)
    context.build((None, grid[0] * grid[1], CHANNELS))
    rng = np.random.default_rng(0)
    for weight in context.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * 0.5)
    return context


def annotations(grid=GRID):
    return np.random.default_rng(1).normal(size=(2, grid[0] * grid[1], CHANNELS)).astype("float32")


def reached(context, grid=GRID) -> np.ndarray:
    """Which outputs change when one cell changes: boolean (changed, seen)."""
    cells = grid[0] * grid[1]
    before = np.repeat(annotations(grid)[:1], cells + 1, axis=0)
    before[np.arange(cells), np.arange(cells)] += 1.0
    after = np.asarray(context(before))
    return np.abs(after[:-1] - after[-1]).max(-1) > 1e-5


def test_none_leaves_them_alone():
    np.testing.assert_array_equal(make(kind="none")(annotations()), annotations())


def test_linear_changes_each_by_itself():
    context = make(kind="linear")
    kernel, bias = (np.asarray(weight) for weight in context.trainable_weights)
    np.testing.assert_allclose(context(annotations()), annotations() @ kernel + bias, atol=1e-5)


def test_a_grid_lstm_reaches_its_row_and_its_column():
    rows, columns = np.divmod(np.arange(12), 4)
    cross = (rows[:, None] == rows) | (columns[:, None] == columns)
    np.testing.assert_array_equal(reached(make(kind="bilstm")), cross)


def test_a_grid_lstm_reads_both_ways():
    """A row turned round gives, in its first cell, what the other direction gave in the last one."""
    context = make(grid=(1, 4), kind="bilstm")
    forward, backward = context.along_rows.forward_layer, context.along_rows.backward_layer
    for one, other in zip(forward.weights, backward.weights, strict=True):
        other.assign(one)
    straight = np.asarray(context(annotations((1, 4))))[0, :, :4]
    turned = np.asarray(context(annotations((1, 4))[:, ::-1]))[0, ::-1, :4]
    np.testing.assert_allclose(straight[:, :2], turned[:, 2:], atol=1e-5)
    assert np.abs(straight[:, :2] - turned[:, :2]).max() > 1e-3


@pytest.mark.parametrize("heads", [1, 2])
def test_self_attention_is_its_equation(heads):
    context = make(kind="self_attention", heads=heads)
    layer = context.layers[0]
    w = {name: np.asarray(getattr(layer, name)) for name in ("input_kernel", "output_kernel")}

    def norm(x, layer):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * np.asarray(layer.gamma) + np.asarray(layer.beta)

    kernel, bias = (np.asarray(weight) for weight in context.project.weights)
    x = annotations() @ kernel + bias + encode_grid(GRID, 8)
    q, k, v = np.split(norm(x, layer.norm) @ w["input_kernel"], 3, -1)
    read = []
    for head in range(heads):
        columns = slice(head * 8 // heads, (head + 1) * 8 // heads)
        scores = q[..., columns] @ k[..., columns].swapaxes(1, 2) / np.sqrt(8 // heads)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        read.append(shares / shares.sum(-1, keepdims=True) @ v[..., columns])
    x = x + np.concatenate(read, -1) @ w["output_kernel"]
    inner = norm(x, layer.feed_forward.norm) @ np.asarray(layer.feed_forward.inner.kernel)
    inner = inner + np.asarray(layer.feed_forward.inner.bias)
    inner = inner * np.vectorize(_normal_share)(inner)
    x = x + inner @ np.asarray(layer.feed_forward.outer.kernel) + np.asarray(layer.feed_forward.outer.bias)
    np.testing.assert_allclose(context(annotations()), x, atol=1e-5)


def _normal_share(x: float) -> float:
    import math

    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


@pytest.mark.parametrize("name", ["full", "window", "dilated", "random", "global"])
def test_a_cell_learns_of_the_cells_its_pattern_allows(name):
    context = make(grid=(4, 4), kind="self_attention", pattern=name, reach=1)
    allowed = pattern(name, (4, 4), 1)
    np.testing.assert_array_equal(reached(context, (4, 4)), allowed.T)


def test_two_layers_reach_twice_as_far():
    allowed = pattern("window", (1, 6), 1)
    two = reached(make(grid=(1, 6), kind="self_attention", pattern="window", reach=1, layers=2), (1, 6))
    np.testing.assert_array_equal(two, allowed @ allowed)


def test_patterns_by_hand():
    """The cell in the middle of a 5 x 5 grid, number 12."""
    middle = {name: set(np.flatnonzero(pattern(name, (5, 5), 1)[12])) for name in ("window", "dilated")}
    assert middle["window"] == {6, 7, 8, 11, 12, 13, 16, 17, 18}
    assert middle["dilated"] == {0, 2, 4, 10, 12, 14, 20, 22, 24}
    drawn = pattern("random", (5, 5), 1)
    assert drawn.diagonal().all() and drawn.sum(1).min() >= 8 and drawn.sum(1).max() <= 9
    np.testing.assert_array_equal(drawn, pattern("random", (5, 5), 1))
    over_all = pattern("global", (5, 5), 1)
    assert over_all[12].all() and over_all[:, 12].all()
    assert set(np.flatnonzero(over_all[0])) == {0, 1, 5, 6, 12}
    assert pairs(pattern("window", (3, 3), 1)) == pytest.approx(49 / 81)


def test_linearised_attention_is_its_equation():
    """phi(q_i) . sum_j phi(k_j) v_j / phi(q_i) . sum_j phi(k_j), pair by pair."""
    context = make(kind="linearised", heads=1)
    layer, rng = context.layers[0], np.random.default_rng(4)
    q, k, v = rng.normal(size=(3, 1, 4, 8)).astype("float32")
    phi = lambda x: np.where(x > 0, x + 1, np.exp(x))
    weights = phi(q) @ phi(k).swapaxes(1, 2)
    expected = weights / weights.sum(-1, keepdims=True) @ v
    np.testing.assert_allclose(layer.mix(q, k, v), expected, atol=1e-5)
    assert reached(context).all()


def test_positions_tell_every_cell_apart():
    np.testing.assert_allclose(encode_positions(np.array([0, 2]), 4), [[0, 0, 1, 1], _waves(2)], atol=1e-6)
    places = encode_grid((3, 4), 6)
    assert places.shape == (12, 6)
    assert len(np.unique(places.round(5), axis=0)) == 12
    np.testing.assert_array_equal(places[0, :3], places[3, :3])  # one row, one first half
    assert encode_positions(np.arange(3), 5).shape == (3, 5)


def _waves(position):
    return [np.sin(position), np.sin(position / 100), np.cos(position), np.cos(position / 100)]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "psychic"}, "context.kind is one of none, linear, .*. Received: 'psychic'"),
        ({"kind": "self_attention", "pattern": "x"}, "context.pattern is one of full, window, .*. Received: 'x'"),
        ({"kind": "self_attention", "heads": 3}, "context.units is a multiple of context.heads 3. Received: 8"),
        ({"kind": "bilstm", "units": 6}, "context.units is a multiple of .* 4. Received: 6"),
    ],
)
def test_what_does_not_fit_is_said(config, message):
    with pytest.raises(ConfigError, match=message):
        make(**config)
