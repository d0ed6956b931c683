"""Search for captions inside the graph, for a batch of pictures, with masks of the words that survive.

Written in `keras.ops` alone, so that the same search runs on every backend and can be exported.

Hypotheses of a picture stand in `lanes` of equal width. A beam has one lane, and one more for each word that must
appear: those in lane i hold i of them (grid beam search, Hokamp & Liu 2017). Diverse beam search has a lane for each
group, sampling one for each caption. `Lanes` holds what differs.
"""

from __future__ import annotations

import dataclasses

from keras import ops, tree

from captioner.constraints import alternatives_mask, constraints_mask
from captioner.controls import ALTERNATIVES, IMPOSSIBLE, Structure
from captioner.decoder import Decoder
from captioner.vocabulary import END, START

NOT_REPORTED = ("hidden", "context")


def search(decoder: Decoder, annotations, structure: Structure, controls: dict):
    """The likeliest captions of each picture, or samples.

    At every step each open hypothesis is continued by every word. The best `width` continuations of a lane that do
    not end stay open; those that end, and are among the best 2 * width - 1 continuations, join the finished ones,
    which are kept apart. A lane of width one ends with its first end: a beam of one is greedy search. The search
    stops when no open hypothesis can still beat the finished ones.

    Args:
        decoder: the decoder.
        annotations: (batch, locations, channels).
        structure: what shapes the graph.
        controls: tensors of `captioner.controls.Controls.inputs`: "banned" (vocabulary_size,) is added to
            log-probabilities; "prefix" ids (max_words + 1,), PAD where any word may stand; "min_words";
            "length_penalty"; where asked for, "required" ids (required,); "diversity"; "temperature", "top_k",
            "top_p" and "chance" (1 or batch, width, max_words + 1), 0 to 1.

    Returns:
        Tensors with the best hypothesis first, `time` = max_words:
        "words" ids (batch, width, time), PAD after the end; "length" (batch, width) in words; "log_probability"
        (batch, width) of the whole caption, the end included, below -1e8 where there is no such hypothesis;
        "word_log_probabilities" (batch, width, time); "weights" (batch, width, time, locations);
        "alternatives" ids and "alternative_log_probabilities" (batch, width, time, 5); "gate" and further
        extras of the attention (batch, width, time, ...).
    """
    run = _Search(decoder, annotations, structure, controls)
    carry = ops.while_loop(run.goes_on, run.step, run.start(), maximum_iterations=structure.max_words + 1)
    return run.best(carry)


def length_penalty(length, alpha):
    """((5 + length) / 6) ** alpha, Wu et al. 2016, equation 14; `length` counts the end symbol."""
    return ops.power((5.0 + ops.cast(length, "float32")) / 6.0, ops.cast(alpha, "float32"))


@dataclasses.dataclass
class Lanes:
    """How many hypotheses stand where.

    Attributes:
        count: lanes of a picture.
        width: hypotheses in each.
        pools: sets of finished hypotheses that don't compete with each other.
        started: lanes that hold a hypothesis at the start.
    """

    count: int
    width: int
    pools: int
    started: int

    @classmethod
    def of(cls, structure: Structure) -> Lanes:
        if structure.strategy == "sample":
            return cls(structure.width, 1, structure.width, structure.width)
        if structure.strategy == "diverse":
            groups = structure.groups
            return cls(groups, structure.width // groups, groups, groups)
        return cls(structure.required + 1, structure.width, 1, 1)

    @property
    def slots(self) -> int:
        return self.count * self.width

    @property
    def drawn(self) -> int:
        """Continuations looked at in each lane: enough for `width` that do not end."""
        return 2 * self.width if self.width > 1 else 1


def choose(values, slots):
    """values[b, slots[b, j]] for values (batch, captions, ...) and slots (batch, j)."""
    slots = ops.reshape(slots, tuple(ops.shape(slots)) + (1,) * (len(values.shape) - 2))
    return ops.take_along_axis(values, slots, axis=1)


def _write(history, step, value):
    """history with value at index `step` of its first axis; a where, because every backend and exporter knows it."""
    times = ops.arange(history.shape[0], dtype="int32")
    here = ops.reshape(ops.equal(times, step), (-1,) + (1,) * (len(history.shape) - 1))
    return ops.where(here, value[None], history)


def _best(scores, count: int):
    values, order = ops.top_k(scores, count)
    return values, ops.cast(order, "int32")


class _Search:
    def __init__(self, decoder, annotations, structure, controls):
        self.decoder, self.annotations, self.structure, self.controls = decoder, annotations, structure, controls
        self.lanes = Lanes.of(structure)
        self.memory = decoder.prepare(annotations)
        self.batch = ops.shape(annotations)[0]
        self.size = decoder.vocabulary_size

    def start(self):
        lanes, slots, time = self.lanes, (self.batch, self.lanes.slots), self.structure.max_words
        state = self.decoder.initial_state(self.annotations, self.memory, lanes.slots)
        words = ops.full(slots, START, dtype="int32")
        # All hypotheses of a lane begin alike, so only its first may be continued at the first step.
        places = ops.arange(lanes.slots)
        begins = ops.logical_and(ops.equal(places % lanes.width, 0), places // lanes.width < lanes.started)
        # Only for the shapes of what a step reports; a compiler drops it.
        _, _, outputs = self.decoder.step(words, state, self.memory)
        pool = (self.batch, lanes.pools, lanes.width)
        return {
            "step": ops.zeros((), "int32"),
            "words": words,
            "totals": ops.zeros(slots) + ops.where(begins, 0.0, IMPOSSIBLE),
            "met": ops.zeros((*slots, self.structure.required), "int32"),
            "state": state,
            "trail": self._empty_trail(slots),
            "finished": {
                "rank": ops.full(pool, IMPOSSIBLE, dtype="float32"),
                "total": ops.full(pool, IMPOSSIBLE, dtype="float32"),
                "length": ops.zeros(pool, "int32"),
                **self._empty_trail(pool),
            },
            "history": self._empty_history((time, *slots), outputs),
        }

    def _empty_trail(self, shape):
        """The words of each hypothesis, the slots its masks were made in, and the words' log-probabilities."""
        time = self.structure.max_words
        return {
            "sequence": ops.zeros((*shape, time), "int32"),
            "slots": ops.zeros((*shape, time), "int32"),
            "word_log_probabilities": ops.zeros((*shape, time)),
        }

    @staticmethod
    def _empty_history(shape, outputs):
        history = {
            "alternatives": ops.zeros((*shape, ALTERNATIVES), "int32"),
            "alternative_log_probabilities": ops.zeros((*shape, ALTERNATIVES)),
        }
        reported = {name: value for name, value in outputs.items() if name not in NOT_REPORTED}
        return history | {name: ops.zeros((*shape, *value.shape[2:])) for name, value in reported.items()}

    def goes_on(self, carry):
        """Whether some picture has an open hypothesis that can still be among its answers."""
        lanes, ranks = self.lanes, carry["finished"]["rank"]
        # Totals only fall, and the penalty of the longest caption flatters an open one most.
        flattered = carry["totals"] / length_penalty(self.structure.max_words + 1, self.controls["length_penalty"])
        bound = ops.max(ops.reshape(flattered, (self.batch, lanes.pools, -1)), axis=-1)
        worst = ranks[:, :, self.structure.count - 1 if lanes.pools == 1 else lanes.width - 1]
        return ops.any(ops.logical_and(bound > IMPOSSIBLE / 2, bound > worst))

    def step(self, carry):
        step = carry["step"]
        log_probabilities, state, outputs = self.decoder.step(carry["words"], carry["state"], self.memory)
        possible = log_probabilities + alternatives_mask(self.structure, self.controls, step, self.size)
        allowed = possible + constraints_mask(
            self.structure, self.controls, step, carry["trail"]["sequence"], self.size
        )
        drawn, opened = getattr(self, f"_{self.structure.strategy}")(carry, allowed)
        parents, words = opened["parents"], opened["words"]
        flat = parents * self.size + words
        of_words = ops.take_along_axis(ops.reshape(log_probabilities, (self.batch, -1)), flat, axis=1)
        trail = {name: choose(value, parents) for name, value in carry["trail"].items()}
        new = {"sequence": words, "slots": parents, "word_log_probabilities": of_words}
        here = ops.equal(ops.arange(self.structure.max_words, dtype="int32"), step)
        likeliest, ids = _best(possible, ALTERNATIVES)
        record = {"alternatives": ids, "alternative_log_probabilities": likeliest}
        record |= {name: value for name, value in outputs.items() if name not in NOT_REPORTED}
        return {
            "step": step + 1,
            "words": words,
            "totals": ops.maximum(opened["totals"], IMPOSSIBLE),
            "met": self._met(carry["met"], parents, words),
            "state": tree.map_structure(lambda value: choose(value, parents), state),
            "trail": {name: ops.where(here, new[name][:, :, None], value) for name, value in trail.items()},
            "finished": self._finish(carry, drawn),
            "history": {name: _write(carry["history"][name], step, value) for name, value in record.items()},
        }

    def _beam(self, carry, allowed):
        """Each lane's best continuations; a word that must appear moves its hypothesis to the next lane."""
        lanes, required = self.lanes, self.structure.required
        moved = None
        if required:
            moved, allowed = self._movers(carry, allowed)
        scores = carry["totals"][:, :, None] + allowed
        scores = ops.reshape(scores, (self.batch, lanes.count, lanes.width * self.size))
        totals, order = _best(scores, lanes.drawn)
        first = ops.reshape(ops.arange(lanes.count, dtype="int32") * lanes.width, (1, -1, 1))
        drawn = {"totals": totals, "words": order % self.size, "parents": first + order // self.size}
        if moved:
            drawn = {name: ops.concatenate([value, moved[name]], axis=2) for name, value in drawn.items()}
            drawn = self._reorder(drawn, drawn["totals"], lanes.drawn)
        return self._last_lane(drawn), self._flatten(self._open(drawn, drawn["totals"]))

    def _movers(self, carry, allowed):
        """Continuations by words that must appear, in the lanes they lead to; and what is allowed to the others."""
        lanes, count, words = self.lanes, self.structure.required, self.controls["required"]
        missing = 1 - carry["met"]
        moving = carry["totals"][:, :, None] + ops.take(allowed, words, axis=2)
        moving = ops.where(missing > 0, moving, IMPOSSIBLE)
        moving = ops.reshape(moving, (self.batch, lanes.count, lanes.width * count))
        nowhere = ops.full((self.batch, 1, lanes.width * count), IMPOSSIBLE, dtype="float32")
        places = ops.arange(lanes.width * count, dtype="int32")
        lane = ops.reshape(ops.arange(-1, lanes.count - 1, dtype="int32"), (1, -1, 1))
        shape = (self.batch, lanes.count, lanes.width * count)
        moved = {
            "totals": ops.concatenate([nowhere, moving[:, :-1]], axis=1),
            "words": ops.broadcast_to(ops.take(words, places % count), shape),
            "parents": ops.broadcast_to(ops.maximum(lane, 0) * lanes.width + places // count, shape),
        }
        left = count - ops.arange(lanes.slots, dtype="int32") // lanes.width  # words still missing in each slot
        ends = ops.equal(ops.arange(self.size), END)
        late = left > self.structure.max_words - carry["step"] - 1  # no room for a word besides them
        held = ops.logical_and(ops.logical_or(ends, late[:, None]), (left > 0)[:, None])
        own = ops.matmul(ops.cast(missing, "float32"), ops.one_hot(words, self.size, dtype="float32"))
        return moved, allowed + IMPOSSIBLE * (own + ops.cast(held, "float32"))

    def _diverse(self, carry, allowed):
        """Group after group, each avoiding the words that the groups before it chose at this step."""
        lanes, opened, drawn = self.lanes, [], []
        chosen = ops.zeros((self.batch, self.size))
        scores = carry["totals"][:, :, None] + allowed
        for group in range(lanes.count):
            first = group * lanes.width
            own = scores[:, first : first + lanes.width]
            kept_apart = own - self.controls["diversity"] * chosen[:, None]
            flat = (self.batch, 1, lanes.width * self.size)
            order_by, order = _best(ops.reshape(kept_apart, flat), lanes.drawn)
            totals = ops.take_along_axis(ops.reshape(own, flat), order, axis=2)
            best = {"totals": totals, "words": order % self.size, "parents": first + order // self.size}
            drawn.append(best)
            opened.append(self._open(best, order_by))
            alive = ops.cast(opened[-1]["totals"] > IMPOSSIBLE / 2, "float32")[..., None]
            words = ops.one_hot(opened[-1]["words"], self.size, dtype="float32")
            chosen = chosen + ops.sum(words * alive, axis=(1, 2))
        join = lambda parts: {name: ops.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
        return join(drawn), self._flatten(join(opened))

    def _sample(self, carry, allowed):
        """One word for each caption, drawn by its number in "chance" from the words sorted by probability."""
        controls = self.controls
        shares, ids = _best(ops.softmax(allowed / controls["temperature"], axis=-1), self.size)
        before = ops.cumsum(shares, axis=-1) - shares
        kept = ops.logical_and(ops.arange(self.size) < controls["top_k"], before < controls["top_p"])
        shares = shares * ops.cast(kept, "float32")
        reached = ops.cumsum(shares, axis=-1)
        mark = ops.take(controls["chance"], carry["step"], axis=2)[:, :, None] * reached[:, :, -1:]
        place = ops.sum(ops.cast(reached <= mark, "int32"), axis=-1, keepdims=True)
        place = ops.minimum(place, ops.sum(ops.cast(shares > 0, "int32"), axis=-1, keepdims=True) - 1)
        words = ops.take_along_axis(ids, place, axis=2)
        totals = carry["totals"][:, :, None] + ops.take_along_axis(allowed, words, axis=2)
        slots = ops.reshape(ops.arange(self.lanes.slots, dtype="int32"), (1, -1, 1))
        drawn = {"totals": totals, "words": words, "parents": slots + ops.zeros_like(words)}
        return drawn, self._flatten(self._open(drawn, totals))

    def _open(self, drawn, order_by):
        """The best continuations of each lane that do not end."""
        ends = ops.equal(drawn["words"], END)
        open_ones = {**drawn, "totals": ops.where(ends, 2 * IMPOSSIBLE, drawn["totals"])}
        if self.lanes.drawn == 1:
            return open_ones
        return self._reorder(open_ones, ops.where(ends, 4 * IMPOSSIBLE, order_by), self.lanes.width)

    @staticmethod
    def _reorder(drawn, order_by, count):
        _, order = _best(order_by, count)
        return {name: ops.take_along_axis(value, order, axis=2) for name, value in drawn.items()}

    def _flatten(self, opened):
        return {name: ops.reshape(value, (self.batch, self.lanes.slots)) for name, value in opened.items()}

    @staticmethod
    def _last_lane(drawn):
        """Only hypotheses with every word that must appear may end."""
        return {name: value[:, -1:] for name, value in drawn.items()}

    def _met(self, met, parents, words):
        if not self.structure.required:
            return met
        now = ops.cast(ops.equal(words[:, :, None], self.controls["required"]), "int32")
        return ops.maximum(choose(met, parents), now)

    def _finish(self, carry, drawn):
        """The best of those finished before and those that end now, in each pool."""
        lanes, step, totals = self.lanes, carry["step"], drawn["totals"]
        near = ops.arange(lanes.drawn) < max(2 * lanes.width - 1, 1)
        ends = ops.logical_and(ops.logical_and(ops.equal(drawn["words"], END), near), totals > IMPOSSIBLE / 2)
        penalty = length_penalty(step + 1, self.controls["length_penalty"])
        parents = ops.reshape(drawn["parents"], (self.batch, -1))
        shape = (self.batch, lanes.pools, lanes.drawn, self.structure.max_words)
        new = {
            "rank": ops.where(ends, totals / penalty, IMPOSSIBLE),
            "total": totals,
            "length": ops.zeros_like(drawn["words"]) + step,
            **{name: ops.reshape(choose(value, parents), shape) for name, value in carry["trail"].items()},
        }
        pool = {name: ops.concatenate([carry["finished"][name], new[name]], axis=2) for name in new}
        rank, order = _best(pool.pop("rank"), lanes.width)
        return {"rank": rank} | {name: _along(value, order) for name, value in pool.items()}

    def best(self, carry):
        """All pools together, the best first, with what was recorded on the way to each."""
        lanes, finished = self.lanes, carry["finished"]
        flat = {
            name: ops.reshape(value, (self.batch, lanes.pools * lanes.width, *value.shape[3:]))
            for name, value in finished.items()
        }
        rank, order = _best(flat.pop("rank"), self.structure.width)
        flat = {name: choose(value, order) for name, value in flat.items()}
        inside = ops.arange(self.structure.max_words) < flat["length"][:, :, None]
        slots = ops.moveaxis(flat["slots"], 2, 0)
        found = {"words": flat["sequence"], "word_log_probabilities": flat["word_log_probabilities"]}
        found |= {name: _pick(values, slots) for name, values in carry["history"].items()}
        return {
            "length": flat["length"],
            "log_probability": ops.where(rank > IMPOSSIBLE / 2, flat["total"], IMPOSSIBLE),
            **{name: _keep(value, inside) for name, value in found.items()},
        }


def _along(values, order):
    """values[b, p, order[b, p, j]]."""
    order = ops.reshape(order, tuple(ops.shape(order)) + (1,) * (len(values.shape) - 3))
    return ops.take_along_axis(values, order, axis=2)


def _pick(history, slots):
    """history[t, b, slots[t, b, j]] as (batch, captions, time, ...)."""
    slots = ops.reshape(slots, tuple(ops.shape(slots)) + (1,) * (len(history.shape) - 3))
    return ops.moveaxis(ops.take_along_axis(history, slots, axis=2), 0, 2)


def _keep(value, inside):
    """value where `inside` (batch, captions, time), zero elsewhere."""
    inside = ops.reshape(inside, tuple(ops.shape(inside)) + (1,) * (len(value.shape) - 3))
    return ops.where(inside, value, ops.zeros_like(value))
