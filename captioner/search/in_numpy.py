"""Decoding in plain NumPy, one picture at a time: for exported models, for captions shown while they are written, and
as the check of `captioner.search.in_graph`, whose rules it follows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from captioner.errors import ConfigError
from captioner.search.controls import ALTERNATIVES, FALLBACK, IMPOSSIBLE, LEAST_END, NOT_REPORTED, Controls
from captioner.vocabulary import END, PAD, START

Tree = Any  # nested dictionaries and tuples of arrays
Step = Callable[[np.ndarray, Tree, Tree], tuple[np.ndarray, Tree, dict[str, np.ndarray]]]
SUPPORTED = ("beam", "greedy")


@dataclasses.dataclass
class Hypothesis:
    """A caption on its way.

    Attributes:
        words: ids so far.
        total: sum of their log-probabilities.
        records: what each step reported, by name.
        slot: where its state stands in the last step's arrays.
        forced: 0 where it ended by itself; 1 where a less likely end was kept, 2 where the limit cut it.
    """

    words: list[int] = dataclasses.field(default_factory=list)
    total: float = 0.0
    records: list[dict[str, np.ndarray]] = dataclasses.field(default_factory=list)
    slot: int = 0
    forced: int = 0

    def rank(self, penalty: float) -> float:
        """Total over Wu's length penalty, the end counted; the mean, behind all of those, where the end was forced."""
        if self.forced:  # as exact as in the graph, so that equals stay equal
            return float(np.float32(self.total / (len(self.words) + 1)) - np.float32(self.forced * FALLBACK))
        return self.total / ((5 + len(self.words) + 1) / 6) ** penalty


def map_tree(function: Callable[[np.ndarray], np.ndarray], tree: Tree) -> Tree:
    """The same structure with `function` applied to its arrays."""
    if isinstance(tree, dict):
        return {name: map_tree(function, value) for name, value in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree)(map_tree(function, value) for value in tree)
    return function(np.asarray(tree))


def _unlimited(log_probabilities: np.ndarray, written: int, controls: Controls) -> np.ndarray:
    """`possible` as if a caption could go on after its longest."""
    values = log_probabilities + controls.banned(log_probabilities.shape[-1])
    if written < controls.options.min_words:
        values[..., END] += IMPOSSIBLE
    return values


def possible(log_probabilities: np.ndarray, written: int, controls: Controls) -> np.ndarray:
    """Log-probabilities of a step with all words out of reach that no caption may hold at this place.

    Args:
        log_probabilities: (..., vocabulary_size).
        written: words before this place.
    """
    values = _unlimited(log_probabilities, written, controls)
    if written >= controls.max_words:
        others = np.arange(values.shape[-1]) != END
        values[..., others] += IMPOSSIBLE
    return values


def allowed(values: np.ndarray, words: list[int], controls: Controls) -> np.ndarray:
    """`possible` values of one hypothesis, with what its own words and the prefix rule out put out of reach."""
    written, run, within = len(words), controls.options.no_repeat_ngram, controls.options.no_repeat_within
    values = values.copy()
    if written < len(controls.prefix):
        values[np.arange(len(values)) != controls.prefix[written]] += IMPOSSIBLE
        return values
    if within:
        values[list(set(words[-within:]) - set(controls.repeatable))] += IMPOSSIBLE
    if run:
        tail = words[written - run + 1 :]
        for i in range(written - run + 1):
            if words[i : i + run - 1] == tail:
                values[words[i + run - 1]] += IMPOSSIBLE
    return values


def record(values: np.ndarray, word: int, log_probability: float, outputs: dict[str, np.ndarray]) -> dict:
    """What is kept of a word: its own log-probability, the likeliest alternatives, mask, gate."""
    likeliest = np.argsort(-values, kind="stable")[:ALTERNATIVES]
    return {
        "word_log_probabilities": np.float32(log_probability),
        "alternatives": likeliest.astype(np.int32),
        "alternative_log_probabilities": values[likeliest],
        **{name: value for name, value in outputs.items() if name not in NOT_REPORTED},
    }


def search(step: Step, memory: Tree, state: Tree, controls: Controls) -> list[Hypothesis]:
    """Beam search for one picture.

    Args:
        step: (words (1, hypotheses), state, memory) -> log-probabilities (1, hypotheses, vocabulary_size), state,
            outputs.
        memory: of the picture.
        state: of one hypothesis.
        controls: strategy "beam" or "greedy".

    Returns:
        Finished hypotheses, the best first.

    Raises:
        ConfigError: another strategy, or words that must appear.
    """
    options = controls.options
    check_supported(controls)
    width, penalty = options.width, options.length_penalty
    open_ones, finished = [Hypothesis()], []
    longest = ((5 + controls.max_words + 1) / 6) ** penalty
    for written in range(controls.max_words + 1):
        words = np.array([[h.words[-1] if h.words else START for h in open_ones]], np.int32)
        slots = [h.slot for h in open_ones]
        state = map_tree(lambda value, slots=slots: value[:, slots], state)
        log_probabilities, state, outputs = step(words, state, memory)
        values = _unlimited(log_probabilities[0], written, controls)
        scores = np.stack([h.total + allowed(values[i], h.words, controls) for i, h in enumerate(open_ones)])
        order = np.argsort(-scores.ravel(), kind="stable")[: 2 * width if width > 1 else 1]
        following, chosen = [], set()
        for place, flat in enumerate(order):
            parent, word = divmod(int(flat), scores.shape[1])
            score = float(scores[parent, word])
            if score < IMPOSSIBLE / 2:
                continue
            before = open_ones[parent]
            if word == END:
                if place < max(2 * width - 1, 1):
                    chosen.add(parent)
            elif len(following) < width:
                of_slot = {name: value[0, parent] for name, value in outputs.items()}
                kept = record(values[parent], word, log_probabilities[0, parent, word], of_slot)
                following.append(Hypothesis([*before.words, word], score, [*before.records, kept], parent))
        finished += _ended(open_ones, values[:, END], scores[:, END], chosen, controls)
        finished = sorted(finished, key=lambda h: -h.rank(penalty))[:width]
        enough = len(finished) >= options.count
        worst = finished[options.count - 1].rank(penalty) if enough else -np.inf
        if not following or max(h.total for h in following) / longest <= worst:
            break
        open_ones = following
    return finished


def _ended(
    open_ones, endings: np.ndarray, totals: np.ndarray, chosen: set[int], controls: Controls
) -> list[Hypothesis]:
    """Hypotheses that end here.

    Args:
        open_ones: all that may.
        endings: (hypotheses,) log-probabilities of their ends.
        totals: (hypotheses,) of the captions, the end included.
        chosen: places of those whose end is among the best continuations; the others' ends are forced.
        controls: of the search; a beam of one forces no end before the last.
    """
    last = len(open_ones[0].words) == controls.max_words
    taken = (endings > LEAST_END) & (controls.options.width > 1) | last
    return [
        dataclasses.replace(before, total=float(totals[i]), forced=0 if i in chosen else 1 + last)
        for i, before in enumerate(open_ones)
        if totals[i] > IMPOSSIBLE / 2 and (i in chosen or taken[i])
    ]


def check_supported(controls: Controls) -> None:
    """Raise a `ConfigError` for what only a Keras model folder can do."""
    if controls.options.strategy not in SUPPORTED:
        raise ConfigError(
            f"an exported model knows the strategies {', '.join(SUPPORTED)}; use the model folder it was made from. "
            f"Received: '{controls.options.strategy}'"
        )
    if controls.required:
        raise ConfigError("an exported model does not know required_words; use the model folder it was made from")


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


def draw(values: np.ndarray, controls: Controls, chance: float) -> int:
    """A word of one place, as `search.in_graph` draws it; the likeliest where the strategy is not "sample"."""
    options = controls.options
    if options.strategy != "sample":
        return int(values.argmax())
    scaled = values.astype(np.float64) / options.temperature
    shares = np.exp(scaled - scaled.max())
    order = np.argsort(-shares, kind="stable")
    shares = shares[order] / shares.sum()
    kept = np.cumsum(shares) - shares < options.top_p
    kept[options.top_k or len(kept) :] = False
    reached = np.cumsum(shares * kept)
    place = int((reached <= chance * reached[-1]).sum())
    return int(order[min(place, int((shares * kept > 0).sum()) - 1)])


def as_found(rows: list[list[Hypothesis]], controls: Controls) -> dict[str, np.ndarray]:
    """Hypotheses of several pictures in the arrays that `captioner.search.in_graph.search` returns."""
    width, time = controls.options.width, max((len(h.words) for row in rows for h in row), default=0)
    example = next((h.records[0] for row in rows for h in row if h.records), {})
    shape = (len(rows), width)
    found = {
        "length": np.zeros(shape, np.int32),
        "log_probability": np.full(shape, IMPOSSIBLE, np.float32),
        "words": np.full((*shape, time), PAD, np.int32),
        **{n: np.zeros((*shape, time, *np.shape(v)), np.asarray(v).dtype) for n, v in example.items()},
    }
    for i, row in enumerate(rows):
        for j, hypothesis in enumerate(row):
            found["length"][i, j] = len(hypothesis.words)
            found["log_probability"][i, j] = hypothesis.total
            found["words"][i, j, : len(hypothesis.words)] = hypothesis.words
            for t, kept in enumerate(hypothesis.records):
                for name, value in kept.items():
                    found[name][i, j, t] = value
    return found
