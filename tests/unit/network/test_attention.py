"""Score functions, heads and sentinel: numbers by hand, and the traps."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner import ConfigError
from captioner.config import AttentionConfig
from captioner.network.attention import AdditiveAttention, Surroundings, build_attention


def make(config, locations=2, channels=2, query=2, grid=None, **weights):
    """The mechanism of a description, with the weights given and all others 0."""
    layer = build_attention(AttentionConfig.parse(config), Surroundings(grid or (1, locations), steps=6))
    layer.build((None, locations, channels), (None, None, query))
    for variable in layer.trainable_weights:
        variable.assign(np.zeros(variable.shape))
    for name, value in weights.items():
        owner = layer.sentinel if name.startswith("sentinel_") else layer
        variable = getattr(owner, name.removeprefix("sentinel_"))
        variable.assign(np.broadcast_to(np.asarray(value, "float32"), variable.shape))
    return layer


def attend(layer, annotations, query, cell=None):
    """Context, masks and extras of the first word."""
    memory = layer.prepare(keras.ops.convert_to_tensor(annotations, "float32"))
    query = keras.ops.convert_to_tensor(query, "float32")
    cell = None if cell is None else keras.ops.convert_to_tensor(cell, "float32")
    context, weights, _, extras = layer.attend(query, memory, layer.initial_state(memory, query.shape[1]), cell)
    return np.asarray(context), np.asarray(weights), {name: np.asarray(value) for name, value in extras.items()}


def softmax(scores):
    shares = np.exp(np.asarray(scores, "float64") - np.max(scores))
    return shares / shares.sum()


PLACES = [[[1.0, 0.0], [0.0, 2.0]]]  # two locations
QUERY = [[[1.0, 1.0]]]


@pytest.mark.parametrize(
    ("activation", "scores"),
    [
        ("tanh", 2 * np.tanh([0.5, 1.5])),
        ("sigmoid", 2 / (1 + np.exp([-0.5, -1.5]))),
        ("relu", [1.0, 3.0]),
    ],
)
def test_additive_by_hand(activation, scores):
    """One unit: e_i = 2 f(a_i + 0.5 h) with h = 1 and a = (0, 1)."""
    weights = {"annotation_kernel": 1.0, "query_kernel": 0.5, "score_vector": 2.0}
    layer = make({"units": 1, "activation": activation}, channels=1, query=1, **weights)
    context, mask, _ = attend(layer, [[[0.0], [1.0]]], [[[1.0]]])
    np.testing.assert_allclose(mask[0, 0], softmax(scores), rtol=1e-5)
    np.testing.assert_allclose(context[0, 0], [softmax(scores)[1]], rtol=1e-5)


def test_dot_by_hand():
    _, mask, _ = attend(make({"kind": "dot"}), PLACES, QUERY)
    np.testing.assert_allclose(mask[0, 0], softmax([1, 2]), rtol=1e-5)


def test_dot_says_how_to_make_the_lengths_equal():
    with pytest.raises(ConfigError, match='context.kind = "linear" and context.units = 3. Received: 2'):
        make({"kind": "dot"}, query=3)


def test_general_by_hand():
    """W = diag(2, 3): e = (1 * 2, 2 * 3)."""
    layer = make({"kind": "general"}, annotation_kernel=[[2, 0], [0, 3]])
    np.testing.assert_allclose(attend(layer, PLACES, QUERY)[1][0, 0], softmax([2, 6]), rtol=1e-5)


def test_location_by_hand():
    """Scores of three places come from the query (1, 2) alone."""
    layer = make({"kind": "location"}, locations=3, query_kernel=[[0, 1, 2], [1, 0, 0]])
    for places in ([[1, 2], [3, 4], [5, 6]], [[0, 0], [9, 9], [0, 0]]):
        np.testing.assert_allclose(attend(layer, [places], [[[1, 2]]])[1][0, 0], softmax([2, 1, 2]), rtol=1e-5)


def test_scaled_dot_by_hand():
    """Four units, so that products are halved; values are doubled."""
    wide = np.eye(2, 4)
    layer = make({"kind": "scaled_dot", "units": 4}, annotation_kernel=wide, query_kernel=wide, value_kernel=2 * wide)
    context, mask, _ = attend(layer, PLACES, QUERY)
    shares = softmax([0.5, 1.0])
    np.testing.assert_allclose(mask[0, 0], shares, rtol=1e-5)
    np.testing.assert_allclose(context[0, 0], [2 * shares[0], 4 * shares[1], 0, 0], rtol=1e-5)


def test_cosine_by_hand():
    """The query points at the first place and across the second: cosines 1 and 0, whatever the lengths."""
    layer = make(
        {"kind": "cosine", "units": 2},
        annotation_kernel=np.eye(2),
        query_kernel=np.eye(2),
        log_strength=np.log(np.log(3.0)),
    )
    _, mask, _ = attend(layer, PLACES, [[[7.0, 0.0]]])
    np.testing.assert_allclose(mask[0, 0], [0.75, 0.25], rtol=1e-4)


@pytest.mark.parametrize("kind", ["additive", "general", "location", "scaled_dot", "cosine", "glimpse"])
def test_sharpening_multiplies_the_scores(kind):
    layer, rng = make({"kind": kind, "units": 4}, locations=4, grid=(2, 2)), np.random.default_rng(0)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    places, query = (keras.ops.convert_to_tensor(rng.normal(size=(1, n, 2)), "float32") for n in (4, 3))
    before = np.asarray(layer.score(query, layer.prepare(places)))
    layer.sharpen(2.5)
    np.testing.assert_allclose(layer.score(query, layer.prepare(places)), 2.5 * before, rtol=1e-4, atol=1e-5)


def test_sharpening_a_glimpse_sharpens_within_its_cells():
    """Two coarse cells with half of the attention each, and in each two places with the scores tanh(1) and 0."""
    config, weights = {"kind": "glimpse", "units": 1}, {"annotation_kernel": 1.0, "fine_vector": 1.0}
    layer = make(config, locations=4, channels=1, query=1, grid=(1, 4), **weights)
    layer.sharpen(3.0)
    _, mask, _ = attend(layer, [[[1.0], [0.0], [1.0], [0.0]]], [[[0.0]]])
    shares = softmax([3 * np.tanh(1.0), 0.0]) / 2
    np.testing.assert_allclose(mask[0, 0], [*shares, *shares], rtol=1e-5)


@pytest.mark.parametrize("kind", ["dot", "mean"])
def test_an_attention_without_weights_cannot_be_sharpened(kind):
    with pytest.raises(ConfigError, match="leave it out"):
        make({"kind": kind}).sharpen(2.0)


def test_mean_looks_everywhere_alike():
    context, mask, _ = attend(make({"kind": "mean"}), PLACES, QUERY)
    np.testing.assert_allclose(mask[0, 0], [0.5, 0.5])
    np.testing.assert_allclose(context[0, 0], [0.5, 1.0])


def test_glimpse_by_hand():
    """A grid of 2 x 4 in two coarse cells, whose annotation vectors are 0 on the left and 1 to 4 on the right."""
    places = np.array([[0, 0, 1, 2], [0, 0, 3, 4]], "float32").reshape(1, 8, 1)
    layer = make(
        {"kind": "glimpse", "normaliser": "hard", "units": 1},
        locations=8,
        channels=1,
        query=1,
        grid=(2, 4),
        annotation_kernel=1.0,
        score_vector=1.0,
        fine_vector=0.0,
    )
    context, mask, _ = attend(layer, places, [[[0.0]]])
    np.testing.assert_allclose(mask[0, 0].reshape(2, 4), [[0, 0, 0.25, 0.25], [0, 0, 0.25, 0.25]], atol=1e-6)
    # A coarse key is the mean of its fine ones, 0 and 2.5; a coarse cell gives its share of 2.5, the glimpse all of it.
    share = softmax([np.tanh(0.0), np.tanh(2.5)])[1]
    np.testing.assert_allclose(context[0, 0], [2.5 * share + 2.5], rtol=1e-5)


@pytest.mark.parametrize("kind", ["additive", "dot", "general", "location", "scaled_dot", "cosine"])
def test_heads_are_mechanisms_side_by_side(kind):
    """Each head scores with its own columns and reads its own columns of the values."""
    rng = np.random.default_rng(2)
    layer = make({"kind": kind, "units": 4, "heads": 2}, locations=3, channels=4, query=4)
    for variable in layer.trainable_weights:
        variable.assign(rng.normal(size=variable.shape))
    annotations, query = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4))
    context, mask, extras = attend(layer, annotations, query)
    assert extras["heads"].shape == (2, 5, 2, 3)
    np.testing.assert_allclose(extras["heads"].sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(extras["heads"].mean(2), mask, atol=1e-6)
    assert np.abs(extras["heads"][:, :, 0] - extras["heads"][:, :, 1]).max() > 1e-2
    values = annotations @ np.asarray(layer.value_kernel)
    read = [extras["heads"][:, :, h] @ values[..., 2 * h : 2 * h + 2] for h in range(2)]
    np.testing.assert_allclose(context, np.concatenate(read, -1) @ np.asarray(layer.output_kernel), atol=1e-4)
    np.testing.assert_allclose(extras["heads"][:, :, 1], second_head(layer, kind, annotations, query), atol=1e-4)


def second_head(layer, kind, annotations, query):
    """Masks of head 1 in NumPy."""
    a, q = annotations, query
    columns = slice(2, 4)
    if kind in ("additive", "scaled_dot", "cosine"):
        a = a @ np.asarray(layer.annotation_kernel)[:, columns]
        q = q @ np.asarray(layer.query_kernel)[:, columns]
    if kind == "additive":
        hidden = np.tanh(a[:, None] + q[:, :, None] + np.asarray(layer.bias)[columns])
        scores = (hidden @ np.asarray(layer.score_vector)[columns])[..., 0]
    elif kind == "location":
        scores = q @ np.asarray(layer.query_kernel)[:, 3:]
    else:
        if kind == "general":
            a = a @ np.asarray(layer.annotation_kernel)[:, 4:]
        if kind == "dot":
            a, q = a[..., columns], q[..., columns]
        scores = np.einsum("bqc,blc->bql", q, a)
        if kind == "scaled_dot":
            scores = scores / np.sqrt(2)
        if kind == "cosine":
            lengths = np.linalg.norm(q, axis=-1)[:, :, None] * np.linalg.norm(a, axis=-1)[:, None]
            scores = scores / lengths * np.exp(np.asarray(layer.log_strength)[1])
    return np.apply_along_axis(softmax, -1, scores)


def test_units_have_to_split_into_heads():
    with pytest.raises(ConfigError, match="attention.units is a multiple of attention.heads 3. Received: 4"):
        AdditiveAttention(4, heads=3)


def test_sentinel_by_hand():
    """All scores 0, three places: the sentinel is one of four. It is sigmoid(0) tanh(m) = tanh(m) / 2."""
    layer = make({"units": 1, "sentinel": True}, locations=3, channels=1, query=1, sentinel_context_kernel=1.0)
    context, mask, extras = attend(layer, [[[1.0], [2.0], [6.0]]], [[[5.0]]], [[[0.3]]])
    np.testing.assert_allclose(mask[0, 0], np.full(3, 1 / 3), rtol=1e-5)
    np.testing.assert_allclose(extras["sentinel"], [[0.25]], rtol=1e-5)
    np.testing.assert_allclose(context[0, 0], [0.25 * np.tanh(0.3) / 2 + 0.75 * 3.0], rtol=1e-5)


def test_a_louder_sentinel_looks_less():
    """v = 2, W_s = 0, U = 1: e_s = 2 tanh(q) beside three scores of 0."""
    weights = {"sentinel_context_kernel": 1.0, "sentinel_score_vector": 2.0, "sentinel_query_kernel": 1.0}
    layer = make({"units": 1, "sentinel": True}, locations=3, channels=1, query=1, **weights)
    _, _, extras = attend(layer, [[[1.0], [2.0], [6.0]]], [[[1.0]]], [[[0.3]]])
    score = np.exp(2 * np.tanh(1.0))
    np.testing.assert_allclose(extras["sentinel"], [[score / (score + 3)]], rtol=1e-5)


def test_masks_sum_to_one_and_follow_the_query():
    rng = np.random.default_rng(0)
    layer = make({"units": 5}, locations=6, channels=4, query=3)
    for variable in layer.trainable_weights:
        variable.assign(rng.normal(size=variable.shape))
    _, weights, _ = attend(layer, rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 3, 3)) * 3)
    assert weights.shape == (2, 3, 6)
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-6)
    assert np.abs(weights[:, 0] - weights[:, 1]).max() > 1e-3  # outside the tanh the query would cancel


def test_queries_of_a_picture_do_not_touch_each_other():
    rng = np.random.default_rng(1)
    layer = make({"units": 6, "heads": 2}, locations=6, channels=4, query=3)
    for variable in layer.trainable_weights:
        variable.assign(rng.normal(size=variable.shape))
    annotations, query = rng.normal(size=(2, 6, 4)), rng.normal(size=(2, 3, 3))
    together = attend(layer, annotations, query)[0]
    alone = np.concatenate([attend(layer, annotations, query[:, i : i + 1])[0] for i in range(3)], axis=1)
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"kind": "psychic"}, "attention.kind is one of additive, dot, .*. Received: 'psychic'"),
        ({"normaliser": "psychic"}, "attention.normaliser is one of softmax, .*. Received: 'psychic'"),
        ({"kind": "glimpse", "heads": 2}, "'glimpse' has one head and no sentinel"),
    ],
)
def test_what_there_is_not_names_what_there_is(config, message):
    with pytest.raises(ConfigError, match=message):
        build_attention(AttentionConfig.parse(config))
