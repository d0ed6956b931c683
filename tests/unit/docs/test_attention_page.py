"""The NumPy of docs/attention.md computes what the layers compute."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest

from captioner.config import AttentionConfig, ContextConfig
from captioner.network.attention import NORMALISERS, SCORES, Surroundings, build_attention
from captioner.network.attention.hard import draw
from captioner.network.context import CONTEXTS, build_context
from captioner.network.context.patterns import PATTERNS
from captioner.network.decoder import DECODERS
from captioner.network.decoder.cells import CELLS, GRU
from training.engine.reinforce import Reinforce

LOCATIONS, SIZE, GRID = 6, 4, (2, 3)
DEFAULTS = {"softmax", "none", "linear", "recurrent", "lstm"}  # named in words


@pytest.fixture(scope="module")
def text(root) -> str:
    return (root / "docs" / "attention.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(text) -> dict:
    """All code blocks of the page, run one after the other."""
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) > 15
    for block in blocks:
        exec(compile(block, "docs/attention.md", "exec"), names)
    return names


class Given:
    """A mechanism with random weights, one picture and one question."""

    def __init__(self, steps=5, **config):
        rng = np.random.default_rng(3)
        self.layer = build_attention(AttentionConfig(units=SIZE, **config), Surroundings(GRID, steps))
        self.layer.build((None, LOCATIONS, SIZE), (None, None, SIZE))
        for weight in self.layer.trainable_weights:
            weight.assign(rng.normal(size=weight.shape))
        self.a, self.h, self.m = rng.normal(size=(LOCATIONS, SIZE)), rng.normal(size=SIZE), rng.normal(size=SIZE)
        memory = self.layer.prepare(tensor(self.a[None]))
        query, cell = tensor(self.h[None, None]), tensor(self.m[None, None])
        self.score = np.asarray(self.layer.score(query, memory))[0, 0]
        state = self.layer.initial_state(memory, 1)
        context, weights, _, extras = self.layer.attend(query, memory, state, cell)
        self.context, self.mask = np.asarray(context)[0, 0], np.asarray(weights)[0, 0]
        self.extras = {name: np.asarray(value)[0, 0] for name, value in extras.items()}

    def __getattr__(self, name):
        """A weight of the layer."""
        return np.asarray(getattr(self.__dict__["layer"], name))


def tensor(values):
    return keras.ops.convert_to_tensor(np.asarray(values, "float32"))


def close(found, expected):
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_scores(page):
    one = Given()
    scores = page["additive"](one.a, one.h, one.annotation_kernel, one.query_kernel, one.bias, one.score_vector[:, 0])
    close(one.score, scores)
    close(one.mask, page["softmax"](scores))
    close(one.context, page["softmax"](scores) @ one.a)
    one = Given(kind="dot")
    close(one.score, page["dot"](one.a, one.h))
    one = Given(kind="general")
    close(one.score, page["general"](one.a, one.h, one.annotation_kernel))
    one = Given(kind="location")
    close(one.score, page["location"](one.h, one.query_kernel))
    one = Given(kind="scaled_dot")
    close(one.score, page["scaled_dot"](one.a, one.h, one.query_kernel, one.annotation_kernel))
    close(one.context, one.mask @ one.a @ one.value_kernel)
    one = Given(kind="cosine")
    tau = np.exp(-one.log_strength[0])
    close(one.score, page["cosine"](one.a, one.h, one.query_kernel, one.annotation_kernel, tau))
    close(Given(kind="mean").mask, page["mean"](one.a))


def test_normalisers(page):
    close(Given(normaliser="sparsemax").mask, page["sparsemax"](Given().score))
    one = Given(normaliser="local_predictive", window=1)
    predict = one.layer.normaliser
    point = page["predict"](one.h, GRID, np.asarray(predict.hidden_kernel), np.asarray(predict.point_kernel))
    close(one.mask, page["favour"](one.score, point, GRID, 1))
    one = Given(normaliser="local_monotonic", window=1, steps=5)
    inside = page["walk"](0, 5, GRID, 1)
    close(one.mask, np.where(inside, page["softmax"](np.where(inside, one.score, -1e9)), 0))
    reach = one.layer.normaliser.reach
    np.testing.assert_array_equal(reach == 0, [page["walk"](t, 5, GRID, 1) for t in range(5)])


def test_hard(page):
    alpha = np.array([0.2, 0.5, 0.3])
    for chance in (0.1, 0.3, 0.69, 0.71, 0.99):
        np.testing.assert_array_equal(draw(tensor(alpha), tensor(chance)), page["draw"](alpha, chance))
    right, chosen = np.array([[[0.5], [0.8]]]), np.log([[[0.5], [0.2]]])
    logits = np.log(np.stack([np.zeros_like(right) + 1e-9, 1 - right, right], axis=-1))
    given = {"logits": logits, "choice_log_probability": chosen, "attention_entropy": np.zeros_like(chosen)}
    loss = Reinforce().loss({name: tensor(value) for name, value in given.items()}, np.full((1, 2, 1), 2, "int32"))
    reward = np.log(right).ravel()
    close(float(loss), page["reinforce"](reward, reward.mean(), chosen.ravel()))


def test_shape(page):
    one = Given(kind="additive", heads=2)
    close(one.context, page["heads"](one.extras["heads"], one.a @ one.value_kernel, one.output_kernel))
    one = Given(sentinel=True)
    w = {name: np.asarray(value) for name, value in vars(one.layer.sentinel).items() if hasattr(value, "assign")}
    s = np.tanh(one.m) / (1 + np.exp(-(one.h @ w["gate_kernel"] + w["gate_bias"])))
    e_s = (np.tanh(s @ w["sentinel_kernel"] + one.h @ w["query_kernel"]) @ w["score_vector"])[0]
    context, beta = page["sentinel"](one.mask @ one.a, one.score, e_s, s, w["context_kernel"])
    close(one.context, context)
    close(one.extras["sentinel"], beta)


def test_glimpse(page):
    one = Given(kind="glimpse", normaliser="hard", window=2)
    members = one.layer.members
    hidden = np.tanh(one.a @ one.annotation_kernel + one.bias + one.h @ one.fine_query_kernel)
    fine = (hidden @ one.fine_vector)[:, 0]
    beta = page["softmax"](one.score)
    context, alpha = page["glimpse"](one.a, beta, beta.argmax(), fine, members)
    close(one.mask, alpha)
    close(one.context, context)


def test_context(page):
    rng = np.random.default_rng(5)
    q, k, v = rng.normal(size=(3, LOCATIONS, SIZE))
    grid = {"pattern": "window", "reach": 1, "heads": 1, "units": SIZE}
    for kind, expected in [
        ("self_attention", page["self_attention"](q, k, v, page["window"](GRID, 1))),
        ("linearised", page["linearised"](q, k, v)),
    ]:
        context = build_context(ContextConfig(kind=kind, **grid), GRID)
        context.build((None, LOCATIONS, SIZE))
        close(np.asarray(context.layers[0].mix(*(tensor(x[None]) for x in (q, k, v))))[0], expected)
    layer = keras.layers.LSTM(SIZE, return_sequences=True, bias_initializer="normal", unroll=True)
    found = layer(tensor(v[None]))
    close(found[0], page["lstm"](v, *(np.asarray(weight) for weight in layer.weights)))


def test_gru(page):
    rng = np.random.default_rng(6)
    cell = GRU(SIZE)

    def add(name, shape, initializer="glorot_uniform"):
        return tensor(rng.normal(size=shape))

    cell.build(add, SIZE, SIZE, SIZE)
    x, h = rng.normal(size=3 * SIZE), rng.normal(size=SIZE)
    state = {"hidden": tensor(h[None, None])}
    found = cell.step(tensor(x[None, None]), tensor((h @ np.asarray(cell.recurrent_kernel))[None, None]), state)[
        "hidden"
    ]
    expected = page["gru"](x, h, np.asarray(cell.recurrent_kernel), np.asarray(cell.recurrent_bias))
    close(np.asarray(found)[0, 0], expected)


def test_pairs_are_those_of_the_table(text):
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d,]+) \|$", text, re.MULTILINE)
    assert {name: int(pairs.replace(",", "")) for name, pairs in rows} == {
        name: int(allowed((10, 10), 2).sum()) for name, allowed in PATTERNS.items()
    }


def test_the_page_names_every_word_of_the_registries_and_its_links_lead_somewhere(text, root):
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert (root / "docs" / link).exists(), link
    for registry in (SCORES, NORMALISERS, CONTEXTS, PATTERNS, DECODERS, CELLS):
        for name in set(registry) - DEFAULTS:
            assert f'"{name}"' in text or f"`{name}`" in text, name
