"""Beam search and scoring inside the graph, for a batch of pictures, with masks of the words that survive.

Written in `keras.ops` alone, so that the same search runs on every backend and can be exported.
"""

from __future__ import annotations

import keras
from keras import ops, tree

from captioner.config import DecodingOptions
from captioner.decoder import Decoder
from captioner.vocabulary import END, PAD, START, UNKNOWN

ALTERNATIVES = 5
IMPOSSIBLE = -1e9  # a log-probability no caption reaches; infinities would make NaN of 0 * inf


def length_penalty(length, alpha: float):
    """((5 + length) / 6) ** alpha, Wu et al. 2016, equation 14; `length` counts the end symbol."""
    return ((5.0 + length) / 6.0) ** alpha


def _never_written(vocabulary_size: int):
    """Log-probabilities to add: symbols that no caption may hold are out of reach."""
    ids = ops.arange(vocabulary_size)
    banned = ops.logical_or(ops.equal(ids, PAD), ops.logical_or(ops.equal(ids, START), ops.equal(ids, UNKNOWN)))
    return ops.where(banned, IMPOSSIBLE, 0.0)


def _is_end(vocabulary_size: int):
    return ops.equal(ops.arange(vocabulary_size), END)


def _choose(values, slots):
    """values[b, slots[b, j]] for values (batch, captions, ...) and slots (batch, j)."""
    slots = ops.reshape(slots, tuple(ops.shape(slots)) + (1,) * (len(values.shape) - 2))
    return ops.take_along_axis(values, slots, axis=1)


def _write(history, step, value):
    """history with value at index `step` of its first axis; a where, because every backend and exporter knows it."""
    times = ops.arange(history.shape[0], dtype="int32")
    here = ops.reshape(ops.equal(times, step), (-1,) + (1,) * (len(history.shape) - 1))
    return ops.where(here, value[None], history)


def beam_search(decoder: Decoder, annotations, options: DecodingOptions, max_words: int):
    """The likeliest captions of each picture.

    At every step each open hypothesis is continued by every word. The best `width` continuations that do not end
    stay open; those that end, and are among the best 2 * width - 1 continuations, join the finished ones, which
    are kept apart. The search stops when no open hypothesis can still beat the finished ones, or, with a width of
    one, at the first that ends: a beam of one is greedy search.

    Args:
        decoder: the decoder.
        annotations: (batch, locations, channels).
        options: width, penalty, shortest caption.
        max_words: longest caption.

    Returns:
        Tensors with the best hypothesis first, `time` = max_words:
        "words" ids (batch, width, time), PAD after the end; "length" (batch, width) in words; "log_probability"
        (batch, width) of the whole caption, the end included, below -1e8 where there is no such hypothesis;
        "word_log_probabilities" (batch, width, time); "weights" (batch, width, time, locations);
        "alternatives" ids and "alternative_log_probabilities" (batch, width, time, 5); "gate" and further
        extras of the attention (batch, width, time, ...).
    """
    width, steps = options.width, max_words + 1
    search = _Search(decoder, annotations, options, width, steps)
    carry = ops.while_loop(search.goes_on, search.step, search.start(), maximum_iterations=steps)
    return search.best(carry)


class _Search:
    def __init__(self, decoder, annotations, options, width, steps):
        self.decoder, self.options, self.width, self.steps = decoder, options, width, steps
        self.memory = decoder.prepare(annotations)
        self.annotations = annotations
        self.batch = ops.shape(annotations)[0]
        self.size = decoder.vocabulary_size
        self.never = _never_written(self.size)
        self.end = _is_end(self.size)

    def start(self):
        state = self.decoder.initial_state(self.annotations, self.width)
        words = ops.full((self.batch, self.width), START, dtype="int32")
        # All beams begin alike, so only the first may be continued at the first step.
        first = ops.where(ops.equal(ops.arange(self.width), 0), 0.0, IMPOSSIBLE)
        totals = ops.zeros((self.batch, self.width)) + first
        _, _, outputs = self.decoder.step(words, state, self.memory)
        return {
            "step": ops.zeros((), "int32"),
            "words": words,
            "totals": totals,
            "state": state,
            "finished": {
                "rank": ops.full((self.batch, self.width), IMPOSSIBLE, dtype="float32"),
                "total": ops.full((self.batch, self.width), IMPOSSIBLE, dtype="float32"),
                "length": ops.zeros((self.batch, self.width), "int32"),
                "slot": ops.zeros((self.batch, self.width), "int32"),
            },
            "history": self._empty_history(outputs),
        }

    def _empty_history(self, outputs):
        shape = (self.steps, self.batch, self.width)
        history = {
            "words": ops.zeros(shape, "int32"),
            "parents": ops.zeros(shape, "int32"),
            "word_log_probabilities": ops.zeros(shape),
            "alternatives": ops.zeros((*shape, ALTERNATIVES), "int32"),
            "alternative_log_probabilities": ops.zeros((*shape, ALTERNATIVES)),
        }
        reported = {name: value for name, value in outputs.items() if name not in ("hidden", "context")}
        return history | {name: ops.zeros((*shape, *value.shape[2:])) for name, value in reported.items()}

    def goes_on(self, carry):
        """Whether some picture has an open hypothesis that can still be among its answers."""
        finished, options = carry["finished"], self.options
        if self.width == 1:
            return ops.any(finished["total"] < IMPOSSIBLE / 2)
        # Totals only fall, and the penalty of the longest caption flatters an open one most.
        bound = ops.max(carry["totals"], axis=1) / length_penalty(float(self.steps), options.length_penalty)
        return ops.any(ops.logical_and(bound > IMPOSSIBLE / 2, bound > finished["rank"][:, options.count - 1]))

    def step(self, carry):
        step = carry["step"]
        log_probabilities, state, outputs = self.decoder.step(carry["words"], carry["state"], self.memory)
        allowed = log_probabilities + self._forbidden(step)
        candidates = ops.reshape(carry["totals"][:, :, None] + allowed, (self.batch, self.width * self.size))
        totals, flat = ops.top_k(candidates, 2 * self.width)
        flat = ops.cast(flat, "int32")
        parents, words = flat // self.size, flat % self.size
        ends = ops.equal(words, END)

        finished = self._finish(carry["finished"], step, totals, parents, ends)
        open_totals, order = ops.top_k(ops.where(ends, 2 * IMPOSSIBLE, totals), self.width)
        open_totals = ops.maximum(open_totals, IMPOSSIBLE)
        order = ops.cast(order, "int32")
        parents, words = _choose(parents, order), _choose(words, order)
        flat_words = ops.take_along_axis(
            ops.reshape(log_probabilities, (self.batch, -1)), parents * self.size + words, axis=1
        )
        likeliest, ids = ops.top_k(allowed, ALTERNATIVES)
        record = {
            "words": words,
            "parents": parents,
            "word_log_probabilities": flat_words,
            "alternatives": ops.cast(ids, "int32"),
            "alternative_log_probabilities": likeliest,
        } | {name: outputs[name] for name in outputs if name not in ("hidden", "context")}
        return {
            "step": step + 1,
            "words": words,
            "totals": open_totals,
            "state": tree.map_structure(lambda value: _choose(value, parents), state),
            "finished": finished,
            "history": {name: _write(carry["history"][name], step, value) for name, value in record.items()},
        }

    def _forbidden(self, step):
        """(vocabulary_size,) to add to the log-probabilities of this step."""
        too_short = ops.where(ops.logical_and(self.end, step < self.options.min_words), IMPOSSIBLE, 0.0)
        too_long = ops.where(ops.logical_and(ops.logical_not(self.end), step >= self.steps - 1), IMPOSSIBLE, 0.0)
        return self.never + too_short + too_long

    def _finish(self, finished, step, totals, parents, ends):
        """The best `width` of those finished before and those that end now."""
        near = ops.arange(2 * self.width) < 2 * self.width - 1
        ends = ops.logical_and(ops.logical_and(ends, near), totals > IMPOSSIBLE / 2)
        length = ops.cast(step + 1, "float32")
        rank = ops.where(ends, totals / length_penalty(length, self.options.length_penalty), IMPOSSIBLE)
        if self.width == 1:  # greedy has stopped at its first end
            rank = ops.where(finished["total"] > IMPOSSIBLE / 2, IMPOSSIBLE, rank)
        new = {"rank": rank, "total": totals, "length": ops.zeros_like(parents) + step, "slot": parents}
        pool = {
            name: ops.concatenate([finished[name], ops.cast(new[name], finished[name].dtype)], axis=1) for name in new
        }
        _, order = ops.top_k(pool["rank"], self.width)
        return {name: _choose(value, ops.cast(order, "int32")) for name, value in pool.items()}

    def best(self, carry):
        """Follow the finished hypotheses back to their first word."""
        finished = carry["finished"]
        history = {name: values[:-1] for name, values in carry["history"].items()}  # the last step only ends captions
        slot, slots, parents = finished["slot"], [], []
        for time in reversed(range(self.steps - 1)):
            parent = _choose(history["parents"][time], slot)
            slots.insert(0, slot)
            parents.insert(0, parent)
            slot = ops.where(time < finished["length"], parent, slot)
        slots, parents = ops.stack(slots), ops.stack(parents)
        inside = ops.arange(self.steps - 1) < finished["length"][:, :, None]
        # A word belongs to the hypothesis it made; masks and alternatives to the one it was chosen from.
        of_child = ("words", "word_log_probabilities")
        found = {
            name: _keep(_pick(values, slots if name in of_child else parents), inside)
            for name, values in history.items()
            if name != "parents"
        }
        total = ops.where(finished["rank"] > IMPOSSIBLE / 2, finished["total"], IMPOSSIBLE)
        return {"length": finished["length"], "log_probability": total, **found}


def _pick(history, slots):
    """history[t, b, slots[t, b, j]] as (batch, captions, time, ...)."""
    slots = ops.reshape(slots, tuple(ops.shape(slots)) + (1,) * (len(history.shape) - 3))
    return ops.moveaxis(ops.take_along_axis(history, slots, axis=2), 0, 2)


def _keep(value, inside):
    """value where `inside` (batch, captions, time), zero elsewhere."""
    inside = ops.reshape(inside, tuple(ops.shape(inside)) + (1,) * (len(value.shape) - 3))
    return ops.where(inside, value, ops.zeros_like(value))


def score_words(decoder: Decoder, annotations, words):
    """What the decoder thinks of given words, teacher-forced.

    Args:
        annotations: (batch, locations, channels).
        words: ids (batch, time), without start and end; all rows have `time` words.

    Returns:
        The tensors of `beam_search` with a width of one, and "log_probability" with the end included.
    """
    words = ops.cast(words, "int32")
    one = ops.zeros((ops.shape(words)[0], 1), "int32")
    start, end = one + START, one + END
    outputs = decoder(annotations, ops.concatenate([start, words], axis=1)[:, None])
    log_probabilities = ops.log_softmax(outputs["logits"], axis=-1)
    targets = ops.concatenate([words, end], axis=1)[:, None, :, None]
    of_words = ops.take_along_axis(log_probabilities, targets, axis=-1)[..., 0]
    likeliest, ids = ops.top_k(log_probabilities[:, :, :-1] + _never_written(decoder.vocabulary_size), ALTERNATIVES)
    return {
        "words": words[:, None],
        "length": one + ops.shape(words)[1],
        "log_probability": ops.sum(of_words, axis=-1),
        "word_log_probabilities": of_words[:, :, :-1],
        "alternatives": ops.cast(ids, "int32"),
        "alternative_log_probabilities": likeliest,
        **{name: value[:, :, :-1] for name, value in outputs.items() if name != "logits"},
    }


class Searcher(keras.Model):
    """`beam_search` as a model of its own, so that `predict_on_batch` compiles it once on any backend."""

    def __init__(self, decoder: Decoder, options: DecodingOptions, max_words: int):
        super().__init__()
        self.decoder, self.options, self.max_words = decoder, options, max_words
        self.compile(jit_compile=False)
        self.built = True

    def call(self, annotations):
        return beam_search(self.decoder, annotations, self.options, self.max_words)


class Scorer(keras.Model):
    """`score_words` as a model of its own; its input is {"annotations", "words"}."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder
        self.compile(jit_compile=False)
        self.built = True

    def call(self, inputs):
        return score_words(self.decoder, inputs["annotations"], inputs["words"])


class Stepper(keras.Model):
    """One greedy step as a model of its own, for captions that are shown while they are written.

    Its input is {"annotations", "words" (batch, 1), "state"}; it returns what `Decoder.step` does, with the symbols
    that are never written out of reach.
    """

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder
        self.compile(jit_compile=False)
        self.built = True

    def call(self, inputs):
        memory = self.decoder.prepare(inputs["annotations"])
        log_probabilities, state, outputs = self.decoder.step(inputs["words"], inputs["state"], memory)
        return log_probabilities + _never_written(self.decoder.vocabulary_size), state, outputs
