"""Every strategy and control in NumPy finds what the graph finds, for one picture and for many at once."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from captioner.config import DecodingOptions
from captioner.search import in_numpy
from captioner.search.controls import IMPOSSIBLE, Controls
from captioner.search.in_graph import search
from captioner.search.strategies import likeliest
from captioner.vocabulary import END, SPECIAL, Vocabulary
from tests.quick import quick

WORDS = Vocabulary([*SPECIAL, *"abcdefgh"])
PEOPLE = Vocabulary([*SPECIAL, "a", "man", "woman", "person", "they", "he", "runs", "run"])  # as many
SIZE = len(WORDS)


class Memoryful:
    """A decoder whose next word depends on the last one and, through its state, on all words before.

    annotations (batch, SIZE, SIZE) are log-probabilities of words after words.
    """

    vocabulary_size = SIZE

    def prepare(self, annotations, tables=None):
        return annotations

    def initial_state(self, annotations, memory, slots):
        return ops.zeros((ops.shape(annotations)[0], slots, SIZE))

    def step(self, words, state, memory, tables=None):
        state = 0.5 * state + ops.sin(ops.arange(SIZE, dtype="float32") * ops.cast(words[..., None], "float32"))
        rows = ops.log_softmax(ops.take_along_axis(memory, words[:, :, None], axis=1) + state)
        return rows, state, {"weights": ops.softmax(rows), "gate": ops.max(rows, axis=-1)}


def toys(count: int, seed: int) -> np.ndarray:
    """Tables of as many pictures."""
    rng = np.random.default_rng(seed)
    logits = 1.5 * rng.normal(size=(count, SIZE, SIZE))
    logits[:, :, END] += rng.uniform(-4.0, 1.0, size=(count, 1))
    return np.array(ops.log_softmax(logits.astype(np.float32)))


def by_graph(tables: np.ndarray, controls: Controls) -> dict[str, np.ndarray]:
    inputs = {name: ops.convert_to_tensor(value) for name, value in controls.inputs(SIZE).items()}
    found = search(Memoryful(), ops.convert_to_tensor(tables), controls.structure, inputs)
    return {name: np.asarray(value) for name, value in found.items()}


def by_numpy(tables: np.ndarray, controls: Controls) -> dict[str, np.ndarray]:
    def step(words, state, memory):
        return in_numpy.map_tree(np.asarray, Memoryful().step(words, state, memory))

    state = np.zeros((len(tables), 1, SIZE), np.float32)
    return in_numpy.as_found(in_numpy.search_all(step, tables, state, controls, len(tables)), controls)


@pytest.mark.parametrize(
    "options",
    quick(
        [0, 1, 5, 9, 11, 18, 19, 23, 24],
        [
            {"strategy": "greedy"},
            *({"beam_width": width, "count": width} for width in range(1, 9)),
            {"beam_width": 5, "length_penalty": 0.0, "min_words": 3},
            {"beam_width": 4, "prefix": "c a", "count": 2},
            {"beam_width": 4, "forbidden_words": "a b", "no_repeat_ngram": 2, "count": 3},
            {"beam_width": 3, "no_repeat_ngram": 1, "min_words": 5},
            {"beam_width": 3, "no_repeat_within": 3, "count": 2},
            {"strategy": "sample", "seed": 2, "no_repeat_within": 4, "no_repeat_ngram": 2},
            {"beam_width": 3, "required_words": "d"},
            {"beam_width": 1, "required_words": "d h"},
            {"beam_width": 4, "required_words": "d h a", "count": 4},
            {"beam_width": 3, "required_words": "d c", "prefix": "c a", "no_repeat_ngram": 2},
            {"strategy": "diverse", "beam_width": 6, "groups": 3, "count": 6},
            {"strategy": "diverse", "beam_width": 4, "count": 4, "diversity": 2.0},
            {"strategy": "diverse", "beam_width": 6, "groups": 2, "count": 2, "no_repeat_ngram": 2},
            {"strategy": "sample", "seed": 3, "count": 5},
            {"strategy": "sample", "seed": 4, "count": 3, "temperature": 0.5, "top_k": 4},
            {"strategy": "sample", "seed": 5, "count": 8, "top_p": 0.8, "temperature": 1.5, "prefix": "b"},
            {"strategy": "sample", "seed": 6, "forbidden_words": "a", "min_words": 4},
        ],
    ),
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()),
)
def test_numpy_finds_what_the_graph_finds(options):
    controls = Controls.resolve(DecodingOptions.parse(options), WORDS, 7)
    tables = np.concatenate([toys(12, seed) for seed in range(3)])  # at once: a search costs as much for one as for 36
    graph, plain = by_graph(tables, controls), by_numpy(tables, controls)
    count = controls.options.count
    np.testing.assert_array_equal(plain["length"][:, :count], graph["length"][:, :count])
    np.testing.assert_allclose(
        plain["log_probability"][:, :count], graph["log_probability"][:, :count], rtol=1e-5, atol=1e-4
    )
    np.testing.assert_allclose(plain["rank"][:, :count], graph["rank"][:, :count], rtol=1e-5, atol=1e-4)
    time = plain["words"].shape[2]
    there = graph["log_probability"][:, :count] > IMPOSSIBLE / 2
    assert there.any()
    for name in plain.keys() - {"length", "log_probability", "rank"}:
        one, other = plain[name][:, :count][there], graph[name][:, :count, :time][there]
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    "options",
    quick(
        [2, 3, 6],
        [
            {"strategy": "greedy"},
            {"beam_width": 4, "count": 4},
            {"beam_width": 3, "no_repeat_ngram": 2, "no_repeat_within": 3, "min_words": 4},
            {"beam_width": 3, "prefix": "they", "required_words": "person"},
            {"beam_width": 3, "forbidden_words": "person"},
            {"strategy": "diverse", "beam_width": 4, "count": 4},
            {"strategy": "sample", "seed": 3, "count": 5},
        ],
    ),
    ids=lambda options: " ".join(f"{name}={value}" for name, value in options.items()),
)
def test_numpy_adds_kinds_of_words_up_as_the_graph_does(options):
    controls = Controls.resolve(DecodingOptions(neutral=True, **options), PEOPLE, 7)
    tables = toys(12, 3)
    graph, plain = by_graph(tables, controls), by_numpy(tables, controls)
    count, time = controls.options.count, plain["words"].shape[2]
    np.testing.assert_array_equal(plain["words"][:, :count], graph["words"][:, :count, :time])
    for name in ("log_probability", "word_log_probabilities", "alternative_log_probabilities"):
        one, other = plain[name][:, :count], graph[name][:, :count]
        np.testing.assert_allclose(one, other[:, :, :time] if one.ndim > 2 else other, rtol=1e-4, atol=1e-4)
    texts = [PEOPLE.decode(words[:n]) for words, n in zip(plain["words"][:, 0], plain["length"][:, 0], strict=True)]
    assert not {word for text in texts for word in text} & {"man", "woman", "he"}
    assert not [text for text in texts if "they runs" in " ".join(text)]


@pytest.mark.parametrize("options", [{"beam_width": 3}, {"strategy": "sample", "seed": 1, "count": 3}])
def test_a_picture_gets_its_captions_alone_or_among_others(options):
    controls = Controls.resolve(DecodingOptions.parse(options), WORDS, 7)
    tables = toys(9, 8)
    together = by_numpy(tables, controls)
    for i in range(len(tables)):
        alone = by_numpy(tables[i : i + 1], controls)
        time = alone["words"].shape[2]
        np.testing.assert_array_equal(alone["words"][0], together["words"][i, :, :time])
        np.testing.assert_allclose(alone["log_probability"][0], together["log_probability"][i], rtol=1e-5)


@pytest.mark.parametrize("size", [9, 16, 33, 6000])
@pytest.mark.parametrize("count", [1, 2, 5, 9, 20, 400])
def test_likeliest_sorts_as_a_stable_sort_does(count, size):
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=size), rng.integers(0, 4, size), np.full(size, IMPOSSIBLE)):
        values = values.astype(np.float32)
        np.testing.assert_array_equal(likeliest(values, count), np.argsort(-values, kind="stable")[:count])
