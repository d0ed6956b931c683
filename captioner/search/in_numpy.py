"""Decoding in plain NumPy: for graphs that hold an encoder and one step, for captions shown while they are written, and
as the check of `captioner.search.in_graph`, whose rules it follows."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from captioner.search.controls import ALTERNATIVES, IMPOSSIBLE, NOT_REPORTED, Controls
from captioner.search.strategies import (
    Hypothesis,
    Strategy,
    added_up,
    allowed,
    draw,
    likeliest,
    possible,
    rule_out,
    unlimited,
)
from captioner.vocabulary import END, PAD, START

__all__ = [
    "Hypothesis",
    "added_up",
    "allowed",
    "as_found",
    "draw",
    "map_tree",
    "possible",
    "record",
    "score",
    "search",
    "search_all",
]

Tree = Any  # nested dictionaries and tuples of arrays
Step = Callable[[np.ndarray, Tree, Tree], tuple[np.ndarray, Tree, dict[str, np.ndarray]]]
Walk = Generator[list[Hypothesis], tuple[np.ndarray, dict[str, np.ndarray]], list[Hypothesis]]


def map_tree(function: Callable[[np.ndarray], np.ndarray], tree: Tree) -> Tree:
    """The same structure with `function` applied to its arrays."""
    if isinstance(tree, dict):
        return {name: map_tree(function, value) for name, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(map_tree(function, value) for value in tree)
    return function(np.asarray(tree))


def record(values: np.ndarray, word: int, log_probability: float, outputs: dict[str, np.ndarray]) -> dict:
    """What is kept of a word: its own log-probability, the likeliest alternatives, mask, gate."""
    best = likeliest(values, ALTERNATIVES)
    return {
        "word_log_probabilities": np.float32(log_probability),
        "alternatives": best.astype(np.int32),
        "alternative_log_probabilities": values[best],
        **{name: value for name, value in outputs.items() if name not in NOT_REPORTED},
    }


def search(step: Step, memory: Tree, state: Tree, controls: Controls) -> list[Hypothesis]:
    """The captions of one picture, as `search_all` finds them."""
    return search_all(step, memory, state, controls, 1)[0]


def search_all(step: Step, memory: Tree, state: Tree, controls: Controls, pictures: int) -> list[list[Hypothesis]]:
    """Search the captions of several pictures together.

    Args:
        step: (words (pictures, hypotheses), state, memory) -> log-probabilities (pictures, hypotheses,
            vocabulary_size), state, outputs.
        memory: arrays whose first axis is the picture.
        state: of one hypothesis a picture, arrays (pictures, 1, ...).
        controls: of the search.
        pictures: how many there are.

    Returns:
        For each picture its finished hypotheses, the best first.
    """
    walks = [_walk(controls) for _ in range(pictures)]
    open_ones = {i: next(walk) for i, walk in enumerate(walks)}
    found: dict[int, list[Hypothesis]] = {}
    rows = list(open_ones)  # of the last step's arrays
    while open_ones:
        if len(open_ones) < len(rows):
            kept = [rows.index(i) for i in open_ones]
            memory, state = (map_tree(lambda value, kept=kept: value[kept], tree) for tree in (memory, state))
            rows = list(open_ones)
        words, slots = _side_by_side(list(open_ones.values()))
        state = map_tree(lambda value, slots=slots: value[np.arange(len(slots))[:, None], slots], state)
        log_probabilities, state, outputs = step(words, state, memory)
        for row, i in enumerate(rows):
            width = len(open_ones[i])
            answer = log_probabilities[row, :width], {name: value[row, :width] for name, value in outputs.items()}
            try:
                open_ones[i] = walks[i].send(answer)
            except StopIteration as end:
                found[i] = end.value
                del open_ones[i]
    return [found[i] for i in range(pictures)]


def _side_by_side(pictures: list[list[Hypothesis]]) -> tuple[np.ndarray, np.ndarray]:
    """Last words and slots of all open hypotheses, (pictures, most hypotheses of any)."""
    shape = len(pictures), max(len(hypotheses) for hypotheses in pictures)
    words, slots = np.full(shape, START, np.int32), np.zeros(shape, np.int64)
    for row, hypotheses in enumerate(pictures):
        for place, hypothesis in enumerate(hypotheses):
            words[row, place] = hypothesis.words[-1] if hypothesis.words else START
            slots[row, place] = hypothesis.slot
    return words, slots


def _walk(controls: Controls) -> Walk:
    """The search of one picture: yields its open hypotheses, takes what the network says of them, returns the ended."""
    strategy, options = Strategy(controls), controls.options
    penalty = options.length_penalty
    open_ones: list[Hypothesis] = strategy.start()
    finished: list[list[Hypothesis]] = [[] for _ in range(strategy.pools)]
    for written in range(controls.max_words + 1):
        log_probabilities, outputs = yield open_ones
        log_probabilities = added_up(log_probabilities, controls)
        values = unlimited(log_probabilities, written, controls)
        may = values.copy()
        for own, hypothesis in zip(may, open_ones, strict=True):
            rule_out(own, hypothesis.words, controls)
        drawn = strategy.draw(open_ones, may, written)
        for hypothesis in strategy.ended(open_ones, may, drawn):
            finished[strategy.pool(hypothesis)].append(hypothesis)
        finished = [sorted(pool, key=lambda h: -h.rank(penalty))[: strategy.width] for pool in finished]
        following = []
        for each in (each for lane in drawn for each in strategy.follow(lane)):
            of_slot = {name: value[each.parent] for name, value in outputs.items()}
            kept = record(values[each.parent], each.word, log_probabilities[each.parent, each.word], of_slot)
            before = open_ones[each.parent]
            met = before.met | ({each.word} & set(controls.required))
            following.append(
                Hypothesis(
                    [*before.words, each.word],
                    each.total,
                    [*before.records, kept],
                    each.parent,
                    lane=each.lane,
                    met=frozenset(met),
                )
            )
        open_ones = following
        if not _goes_on(strategy, open_ones, finished, controls):
            break
    ended = [hypothesis for pool in finished for hypothesis in pool]
    return sorted(ended, key=lambda h: -h.rank(penalty))[: options.width]


def _goes_on(strategy: Strategy, open_ones, finished, controls: Controls) -> bool:
    """Whether an open hypothesis can still be among the answers: totals only fall."""
    penalty = controls.options.length_penalty
    longest = ((5 + controls.max_words + 1) / 6) ** penalty  # flatters an open hypothesis most
    last = controls.options.count - 1 if strategy.pools == 1 else strategy.width - 1
    for hypothesis in open_ones:
        pool = finished[strategy.pool(hypothesis)]
        if len(pool) <= last or hypothesis.total / longest > pool[last].rank(penalty):
            return True
    return False


def score(step: Step, memory: Tree, state: Tree, ids: list[int], controls: Controls) -> Hypothesis:
    """Given words, teacher-forced; `total` holds the end as well."""
    scored = Hypothesis()
    for written, word in enumerate([*ids, END]):
        before = ids[written - 1] if written else START
        log_probabilities, state, outputs = step(np.array([[before]], np.int32), state, memory)
        scored.total += float(log_probabilities[0, 0, word])
        if written < len(ids):
            values = log_probabilities[0, 0] + controls.banned(log_probabilities.shape[-1])
            of_slot = {name: value[0, 0] for name, value in outputs.items()}
            scored.words.append(word)
            scored.records.append(record(values, word, log_probabilities[0, 0, word], of_slot))
    return scored


def as_found(rows: list[list[Hypothesis]], controls: Controls) -> dict[str, np.ndarray]:
    """Hypotheses of several pictures in the arrays that `captioner.search.in_graph.search` returns."""
    width, time = controls.options.width, max((len(h.words) for row in rows for h in row), default=0)
    example = next((h.records[0] for row in rows for h in row if h.records), {})
    shape = (len(rows), width)
    found = {
        "length": np.zeros(shape, np.int32),
        "log_probability": np.full(shape, IMPOSSIBLE, np.float32),
        "rank": np.full(shape, IMPOSSIBLE, np.float32),
        "words": np.full((*shape, time), PAD, np.int32),
        **{n: np.zeros((*shape, time, *np.shape(v)), np.asarray(v).dtype) for n, v in example.items()},
    }
    for i, row in enumerate(rows):
        for j, hypothesis in enumerate(row):
            found["length"][i, j] = len(hypothesis.words)
            found["log_probability"][i, j] = hypothesis.total
            found["rank"][i, j] = hypothesis.rank(controls.options.length_penalty)
            found["words"][i, j, : len(hypothesis.words)] = hypothesis.words
            for t, kept in enumerate(hypothesis.records):
                for name, value in kept.items():
                    found[name][i, j, t] = value
    return found
