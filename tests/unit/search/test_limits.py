"""The longest caption that may be written cuts no sentence while another one can end: in the graph and in NumPy."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from captioner.config import DecodingOptions
from captioner.search import in_numpy
from captioner.search.controls import LEAST_END, Controls, Structure
from captioner.search.in_graph import search
from captioner.vocabulary import END, SPECIAL, START, Vocabulary
from tests.quick import quick

WORDS = Vocabulary([*SPECIAL, *"abcdefgh"])
SIZE = len(WORDS)


class Table:
    """A decoder whose next word depends on the last one: annotations (batch, SIZE, SIZE) are its log-probabilities."""

    vocabulary_size = SIZE

    def prepare(self, annotations, tables=None):
        return annotations

    def initial_state(self, annotations, memory, slots):
        return ops.zeros((ops.shape(annotations)[0], slots, 1))

    def step(self, words, state, memory, tables=None):
        rows = ops.take_along_axis(memory, words[:, :, None], axis=1)
        return rows, state, {"weights": ops.softmax(rows)}


def toys(count: int) -> np.ndarray:
    """Tables of which most make captions that are longer than the limits below, and some hardly ever end."""
    rng = np.random.default_rng(20)
    logits = 2.0 * rng.normal(size=(count, SIZE, SIZE))
    logits[:, :, END] += rng.uniform(-12.0, 0.0, size=(count, 1))
    return np.array(ops.log_softmax(logits.astype(np.float32)))


def controls_of(limit: int, **options) -> Controls:
    return Controls.resolve(DecodingOptions.parse({"max_words": limit, **options}), WORDS, 20)


@functools.cache
def compiled(structure: Structure):
    """A search for all limits that share its room: compiling takes a second, and a search without it as long."""
    return tf.function(lambda tables, inputs: search(Table(), tables, structure, inputs))


def by_graph(tables: np.ndarray, controls: Controls) -> dict[str, np.ndarray]:
    inputs = {name: ops.convert_to_tensor(value) for name, value in controls.inputs(SIZE).items()}
    tables = ops.convert_to_tensor(tables)
    if controls.room:
        found = compiled(controls.structure)(tables, inputs)
    else:
        found = search(Table(), tables, controls.structure, inputs)
    return {name: np.asarray(value) for name, value in found.items()}


def by_numpy(table: np.ndarray, controls: Controls) -> tuple[list[in_numpy.Hypothesis], float]:
    """What was found, and the likeliest end that any hypothesis had before the limit."""
    ends = []

    def step(words, state, memory):
        rows = memory[:, words[0]]
        ends.append(float(rows[0, :, END].max()))
        return rows, state, {"weights": np.exp(rows)}

    found = in_numpy.search(step, table[None], np.zeros((1, 1, 1)), controls)
    return found, max(ends[controls.options.min_words : controls.max_words], default=-np.inf)


@pytest.mark.parametrize("limit", quick([3, 8, 20], range(3, 21)))
def test_no_caption_of_200_toys_is_cut_while_another_can_end(limit):
    controls = dataclasses.replace(controls_of(limit, beam_width=4, count=4), room=20)
    tables = toys(200)
    graph = by_graph(tables, controls)
    cut = at_limit = 0
    for row, table in enumerate(tables):
        found, likeliest_end = by_numpy(table, controls)
        assert (found[0].forced == 2) <= (likeliest_end <= LEAST_END)
        cut, at_limit = cut + (found[0].forced == 2), at_limit + (len(found[0].words) == limit)
        for rank, hypothesis in enumerate(found):
            assert graph["words"][row, rank, : graph["length"][row, rank]].tolist() == hypothesis.words
            assert graph["log_probability"][row, rank] == pytest.approx(hypothesis.total, abs=1e-3)
    assert cut <= at_limit < 200 and cut < 150


def test_captions_that_end_rank_before_those_that_are_cut():
    """Worked out by hand: "a b b b …" never ends and is likelier than "a", which ends once in a hundred times."""
    a, b = 4, 5
    table = np.full((1, SIZE, SIZE), -30.0, np.float32)
    table[0, START, a] = table[0, a, b] = table[0, b, b] = np.log(0.98)
    table[0, a, END], table[0, b, END] = np.log(0.01), -20.0
    for beam_width, expected in ((2, [a]), (1, [a, b, b, b])):  # a beam of one has nothing else to offer
        controls = controls_of(4, beam_width=beam_width)
        graph = by_graph(table, controls)
        assert graph["words"][0, 0, : graph["length"][0, 0]].tolist() == expected
        assert by_numpy(table[0], controls)[0][0].words == expected


def test_a_limit_far_away_changes_nothing():
    """Where captions end by themselves, those of a beam are the same under a limit that they never meet."""
    tables = toys(40)
    tables[:, :, END] = tables.max(axis=-1)
    tables = np.asarray(ops.log_softmax(tables))
    short, long = (by_graph(tables, controls_of(limit, beam_width=3)) for limit in (12, 20))
    assert short["length"][:, 0].max() < 12
    np.testing.assert_array_equal(short["words"][:, 0], long["words"][:, 0, :12])


@pytest.mark.parametrize(
    ("options", "longest"),
    [
        ({}, 20),
        ({"min_words": 15}, 20),
        ({"min_words": 16}, 30),
        ({"min_words": 20}, 30),
        ({"min_words": 20, "max_words": 20}, 20),
        ({"max_words": 5}, 5),
    ],
)
def test_a_shortest_caption_near_the_longest_leaves_room_for_an_end(options, longest):
    assert Controls.resolve(DecodingOptions.parse(options), WORDS, 20).max_words == longest
