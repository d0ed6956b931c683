"""What a caption may go on with, inside the graph: numbers to add to log-probabilities, 0 or `IMPOSSIBLE`."""

from __future__ import annotations

from keras import ops

from captioner.search.controls import IMPOSSIBLE, Structure
from captioner.vocabulary import END, PAD


def alternatives_mask(controls: dict, step, size: int):
    """(size,): symbols and forbidden words; the end before `min_words`.

    Args:
        controls: of the search.
        step: words written so far.
        size: entries of the vocabulary.
    """
    end = ops.equal(ops.arange(size), END)
    too_short = ops.where(ops.logical_and(end, step < controls["min_words"]), IMPOSSIBLE, 0.0)
    return controls["banned"] + too_short


def add_up_kinds(structure: Structure, controls: dict, log_probabilities):
    """(batch, slots, size) log-probabilities with those of each kind added up, see `captioner.search.neutral`."""
    if not structure.kinds[0]:
        return log_probabilities
    words = ops.take(log_probabilities, controls["kinds"], axis=-1)
    words = words + ops.where(ops.equal(controls["kinds"], PAD), IMPOSSIBLE, 0.0)
    joined = ops.concatenate([log_probabilities, ops.logsumexp(words, axis=-1)], axis=-1)
    return ops.take(joined, controls["kind_of"], axis=-1)


def constraints_mask(structure: Structure, controls: dict, step, sequence, last, size: int):
    """(size,) or (batch, slots, size): the word that a prefix forces; words that would be said again, or cannot follow.

    Args:
        sequence: ids as numbers (batch, slots, time), the words of each hypothesis so far.
        last: ids (batch, slots), the last word of each.
    """
    forced = ops.take(controls["prefix"], step)
    free = ops.logical_or(ops.equal(forced, PAD), ops.equal(ops.arange(size), forced))
    mask = ops.where(free, 0.0, IMPOSSIBLE)
    again = 0.0
    if structure.no_repeat_ngram:
        again = again + _repeats(structure.no_repeat_ngram, step, sequence, size)
    if structure.no_repeat_within:
        lately = _said_within(structure.no_repeat_within, step, sequence, size)
        again = again + lately * (1.0 - controls["repeatable"])
    if structure.kinds[0]:
        again = again * ops.cast(controls["kind_of"] < size, "float32")
        they = ops.cast(ops.equal(last, controls["they"]), "float32")
        again = again + IMPOSSIBLE * they[:, :, None] * controls["after_they"]
    if structure.no_repeat_within:
        article = ops.cast(ops.equal(last[:, :, None], controls["articles"]), "float32")
        again = again + IMPOSSIBLE * ops.matmul(article, controls["after_articles"])
    return mask + ops.where(ops.not_equal(forced, PAD), 0.0, again)


def _said_within(length: int, step, sequence, size: int):
    """IMPOSSIBLE for each of the last `length` words: (batch, slots, size)."""
    places = step - 1 - ops.arange(length, dtype="int32")
    last = ops.cast(ops.take(sequence, ops.maximum(places, 0), axis=2), "int32")
    last = ops.where(places >= 0, last, PAD)
    return IMPOSSIBLE * ops.max(ops.one_hot(last, size, dtype="float32"), axis=2)


def _repeats(length: int, step, sequence, size: int):
    """IMPOSSIBLE for each word that would end a run of `length` words that is already there: (batch, slots, size)."""
    windows = sequence.shape[2] - length + 1
    if windows < 1:
        return 0.0
    starts = ops.arange(windows, dtype="int32")
    same = starts + length <= step  # the whole run is written
    for i in range(length - 1):
        last = ops.take(sequence, ops.maximum(step - length + 1 + i, 0), axis=2)[:, :, None]
        same = ops.logical_and(same, ops.equal(sequence[:, :, i : i + windows], last))
    ends = ops.where(same, ops.cast(sequence[:, :, length - 1 :], "int32"), PAD)
    return IMPOSSIBLE * ops.max(ops.one_hot(ends, size, dtype="float32"), axis=2)
