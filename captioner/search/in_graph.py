"""Search for captions inside the graph, for a batch of pictures, with masks of the words that survive.

Written in `keras.ops` alone, so that the same search runs on every backend and can be exported.

Hypotheses of a picture stand in `lanes` of equal width. A beam has one lane, and one more for each word that must
appear: those in lane i hold i of them (grid beam search, Hokamp & Liu 2017). Diverse beam search has a lane for each
group, sampling one for each caption. `Lanes` holds what differs.

On a CPU a step is short enough for the number of its operations to count. So numbers that move together are columns of
one tensor.
"""

from __future__ import annotations

import dataclasses
import math

from keras import ops, tree

from captioner.network.decoder import Decoder
from captioner.search.constraints import add_up_kinds, alternatives_mask, constraints_mask
from captioner.search.controls import ALTERNATIVES, FALLBACK, IMPOSSIBLE, LEAST_END, NOT_REPORTED, Structure
from captioner.vocabulary import END, START


def search(decoder: Decoder, annotations, structure: Structure, controls: dict, tables=None):
    """The likeliest captions of each picture, or samples.

    At every step each open hypothesis is continued by every word. The best `width` continuations of a lane that do
    not end stay open; those that end, and are among the best 2 * width - 1 continuations, join the finished ones,
    which are kept apart. A lane of width one ends with its first end: a beam of one is greedy search. The search
    stops when no open hypothesis can still beat the finished ones.

    A caption that only the limit ends is cut. So a lane of more than one also keeps hypotheses whose end is likelier
    than `LEAST_END` and yet not among the best continuations; they rank behind those that ended by themselves, by the
    mean of their log-probabilities, and before those that are cut.

    Args:
        decoder: the decoder.
        annotations: (batch, locations, channels).
        structure: what shapes the graph.
        controls: tensors of `captioner.search.controls.Controls.inputs`: "banned" (vocabulary_size,) is added to
            log-probabilities; "prefix" ids (time + 1,), PAD where any word may stand; "min_words"; "max_words";
            "length_penalty"; where asked for, those of `captioner.search.neutral`; "required" ids (required,);
            "diversity"; "temperature", "top_k", "top_p" and "chance" (1 or batch, width, time + 1), 0 to 1.
        tables: `decoder.tables()`, where many searches share it.

    Returns:
        Tensors with the best hypothesis first, `time` = structure.time:
        "words" ids (batch, width, time), PAD after the end; "length" (batch, width) in words; "log_probability"
        (batch, width) of the whole caption, the end included, below -1e8 where there is no such hypothesis; "rank"
        (batch, width), by which they are sorted;
        "word_log_probabilities" (batch, width, time); "weights" (batch, width, time, locations);
        "alternatives" ids and "alternative_log_probabilities" (batch, width, time, 5); "gate" and further
        extras of the attention (batch, width, time, ...).
    """
    run = _Search(decoder, annotations, structure, controls, tables)
    carry = ops.while_loop(run.goes_on, run.step, run.start(), maximum_iterations=structure.time + 1)
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


def pick(values, index):
    """values[..., index[..., j], :] for values (..., rows, columns) and index (..., j)."""
    *lead, rows, columns = values.shape
    first = rows * ops.arange(ops.shape(values)[0] * math.prod(lead[1:]), dtype="int32")  # of each set of rows
    places = first[:, None] + ops.reshape(index, (-1, index.shape[-1]))
    return ops.reshape(ops.take(ops.reshape(values, (-1, columns)), places, axis=0), (-1, *index.shape[1:], columns))


def _best(scores, count: int):
    values, order = ops.top_k(scores, count)
    return values, ops.cast(order, "int32")


class _Columns:
    """Tensors (batch, slots, ...) laid side by side as one (batch, slots, columns)."""

    def __init__(self, tensors: dict):
        self.shapes = {name: tuple(value.shape[2:]) for name, value in tensors.items()}
        self.dtypes = {name: value.dtype for name, value in tensors.items()}
        self.widths = [math.prod(shape) for shape in self.shapes.values()]

    def join(self, tensors: dict):
        flat = [
            ops.reshape(ops.cast(tensors[name], "float32"), (-1, tensors[name].shape[1], width))
            for name, width in zip(self.shapes, self.widths, strict=True)
        ]
        return ops.concatenate(flat, axis=-1)

    def split(self, joined, lead: tuple[int, ...]) -> dict:
        """The tensors with `lead` in place of (batch, slots)."""
        places = [sum(self.widths[:i]) for i in range(1, len(self.widths))]
        parts = zip(self.shapes.items(), ops.split(joined, places, axis=-1), strict=True)
        return {name: ops.cast(ops.reshape(part, (*lead, *shape)), self.dtypes[name]) for (name, shape), part in parts}


class _Search:
    def __init__(self, decoder, annotations, structure, controls, tables):
        self.decoder, self.structure, self.controls, self.tables = decoder, structure, controls, tables
        self.lanes, self.time = Lanes.of(structure), structure.time
        self.memory = decoder.prepare(annotations, tables)
        self.state = decoder.initial_state(annotations, self.memory, self.lanes.slots)
        self.batch = ops.shape(annotations)[0]
        self.size = decoder.vocabulary_size

    def start(self):
        lanes, slots = self.lanes, (self.batch, self.lanes.slots)
        words = ops.full(slots, START, dtype="int32")
        # All hypotheses of a lane begin alike, so only its first may be continued at the first step.
        places = ops.arange(lanes.slots)
        begins = ops.logical_and(ops.equal(places % lanes.width, 0), places // lanes.width < lanes.started)
        # Only for the shapes of what a step reports; a compiler drops it.
        _, _, outputs = self.decoder.step(words, self.state, self.memory, self.tables)
        self.reported = _Columns(
            self._report(ops.zeros((*slots, ALTERNATIVES)), ops.zeros((*slots, ALTERNATIVES), "int32"), outputs)
        )
        pool = (self.batch, lanes.pools, lanes.width)
        finished = ops.concatenate([ops.full((*pool, 1), IMPOSSIBLE), ops.zeros((*pool, 1 + 3 * self.time))], axis=-1)
        return {
            "step": ops.zeros((), "int32"),
            "words": words,
            "totals": ops.zeros(slots) + ops.where(begins, 0.0, IMPOSSIBLE),
            "met": ops.zeros((*slots, self.structure.required)),
            "state": self.state,
            # The words of each hypothesis, the slots its masks were made in, and the words' log-probabilities.
            "trail": ops.zeros((*slots, 3 * self.time)),
            "rank": ops.full(pool, IMPOSSIBLE, dtype="float32"),
            "finished": finished,  # total, length, trail
            "history": ops.zeros((self.time, *slots, sum(self.reported.widths))),
        }

    @staticmethod
    def _report(likeliest, ids, outputs) -> dict:
        reported = {name: value for name, value in outputs.items() if name not in NOT_REPORTED}
        return {"alternatives": ids, "alternative_log_probabilities": likeliest, **reported}

    def goes_on(self, carry):
        """Whether some picture has an open hypothesis that can still be among its answers."""
        lanes = self.lanes
        # Totals only fall, and the penalty of the longest caption flatters an open one most.
        flattered = carry["totals"] / length_penalty(self.controls["max_words"] + 1, self.controls["length_penalty"])
        bound = ops.max(ops.reshape(flattered, (-1, lanes.pools, lanes.slots // lanes.pools)), axis=-1)
        worst = carry["rank"][:, :, self.structure.count - 1 if lanes.pools == 1 else lanes.width - 1]
        better = ops.any(ops.logical_and(bound > IMPOSSIBLE / 2, bound > worst))
        return ops.logical_and(carry["step"] <= self.controls["max_words"], better)

    def step(self, carry):
        structure, step = self.structure, carry["step"]
        log_probabilities, state, outputs = self.decoder.step(carry["words"], carry["state"], self.memory, self.tables)
        log_probabilities = add_up_kinds(structure, self.controls, log_probabilities)
        possible = log_probabilities + alternatives_mask(self.controls, step, self.size)
        row_best = _best(possible, min(max(self.lanes.drawn, ALTERNATIVES), self.size))
        likeliest, ids = (values[:, :, :ALTERNATIVES] for values in row_best)
        sequence = carry["trail"][:, :, : self.time]
        allowed = possible
        if structure.constrained:
            allowed = possible + constraints_mask(structure, self.controls, step, sequence, carry["words"], self.size)
            row_best = None
        drawn, opened = getattr(self, f"_{structure.strategy}")(carry, allowed, row_best)
        opened = ops.reshape(opened, (-1, self.lanes.slots, 3))
        totals, words, parents = (opened[:, :, i] for i in range(3))
        words, parents = ops.cast(words, "int32"), ops.cast(parents, "int32")
        return {
            "step": step + 1,
            "words": words,
            "totals": ops.maximum(totals, IMPOSSIBLE),
            **self._follow(carry, state, totals, words, parents),
            **self._finish(carry, drawn, allowed),
            "history": self._write(carry["history"], step, self._report(likeliest, ids, outputs)),
        }

    def _follow(self, carry, state, totals, words, parents):
        """State, trail and words that were met, of the hypotheses that stay open."""
        leaves = {str(i): leaf for i, leaf in enumerate(tree.flatten(state))}
        extra = ("totals", "trail", "met") if self.structure.required else ("totals", "trail")
        leaves |= {name: carry[name] for name in extra}
        columns = _Columns(leaves)
        kept = columns.split(pick(columns.join(leaves), parents), (-1, self.lanes.slots))
        now = ops.equal(ops.arange(self.time, dtype="int32"), carry["step"])
        new = ops.stack([ops.cast(words, "float32"), ops.cast(parents, "float32"), totals - kept["totals"]], axis=-1)
        trail = ops.where(now, new[..., None], ops.reshape(kept["trail"], (-1, self.lanes.slots, 3, self.time)))
        trail = ops.reshape(trail, (-1, self.lanes.slots, 3 * self.time))
        met = carry["met"]
        if self.structure.required:
            met = ops.maximum(kept["met"], ops.cast(ops.equal(words[:, :, None], self.controls["required"]), "float32"))
        flat = [kept[str(i)] for i in range(len(leaves) - len(extra))]
        return {"state": tree.pack_sequence_as(state, flat), "trail": trail, "met": met}

    def _write(self, history, step, report):
        """A where, because every backend and exporter knows it."""
        here = ops.equal(ops.arange(self.time, dtype="int32"), step)
        return ops.where(ops.reshape(here, (-1, 1, 1, 1)), self.reported.join(report)[None], history)

    def _beam(self, carry, allowed, row_best):
        """Each lane's best continuations; a word that must appear moves its hypothesis to the next lane."""
        lanes, required = self.lanes, self.structure.required
        moved = None
        if required:
            moved, allowed = self._movers(carry, allowed)
        values, ids = row_best or _best(allowed, min(lanes.drawn, self.size))
        each = values.shape[-1]
        parents = ops.broadcast_to(ops.arange(lanes.slots, dtype="float32")[:, None], (self.batch, lanes.slots, each))
        rows = ops.stack([carry["totals"][:, :, None] + values, ops.cast(ids, "float32"), parents], axis=-1)
        rows = ops.reshape(rows, (-1, lanes.count, lanes.width * each, 3))
        if required:
            rows = ops.concatenate([rows, moved], axis=2)
        _, order = _best(rows[..., 0], lanes.drawn)
        drawn = pick(rows, order)
        # Only hypotheses with every word that must appear, those of the last lane, may end. With room for more than
        # one, those that stay open are picked from all rows, so that the two picks need not wait for each other.
        rows = rows if lanes.drawn > 1 else drawn
        return drawn[:, -1:], self._open(rows, rows[..., 0])

    def _movers(self, carry, allowed):
        """Continuations by words that must appear, in the lanes they lead to; and what is allowed to the others."""
        lanes, count, words = self.lanes, self.structure.required, self.controls["required"]
        missing = 1.0 - carry["met"]
        moving = carry["totals"][:, :, None] + ops.take(allowed, words, axis=2)
        moving = ops.where(missing > 0, moving, IMPOSSIBLE)
        slots = ops.broadcast_to(ops.arange(lanes.slots, dtype="float32")[:, None], ops.shape(moving))
        ids = ops.broadcast_to(ops.cast(words, "float32"), ops.shape(moving))
        moved = ops.reshape(ops.stack([moving, ids, slots], axis=-1), (-1, lanes.count, lanes.width * count, 3))
        nowhere = ops.zeros_like(moved[:, :1]) + ops.convert_to_tensor([IMPOSSIBLE, 0.0, 0.0])
        moved = ops.concatenate([nowhere, moved[:, :-1]], axis=1)
        left = count - ops.arange(lanes.slots, dtype="int32") // lanes.width  # words still missing in each slot
        ends = ops.equal(ops.arange(self.size), END)
        late = left > self.controls["max_words"] - carry["step"] - 1  # no room for a word besides them
        held = ops.logical_and(ops.logical_or(ends, late[:, None]), (left > 0)[:, None])
        own = ops.matmul(missing, ops.one_hot(words, self.size, dtype="float32"))
        return moved, allowed + IMPOSSIBLE * (own + ops.cast(held, "float32"))

    def _diverse(self, carry, allowed, row_best):
        """Group after group, each avoiding the words that the groups before it chose at this step."""
        lanes, opened, drawn = self.lanes, [], []
        chosen = ops.zeros((self.batch, self.size))
        scores = carry["totals"][:, :, None] + allowed
        for group in range(lanes.count):
            first = group * lanes.width
            own = scores[:, first : first + lanes.width]
            kept_apart = own - self.controls["diversity"] * chosen[:, None]
            flat = (-1, 1, lanes.width * self.size)
            order_by, order = _best(ops.reshape(kept_apart, flat), lanes.drawn)
            totals = ops.take_along_axis(ops.reshape(own, flat), order, axis=2)
            places = [order % self.size, first + order // self.size]
            drawn.append(ops.stack([totals, *(ops.cast(place, "float32") for place in places)], axis=-1))
            opened.append(self._open(drawn[-1], order_by))
            alive = ops.cast(opened[-1][..., :1] > IMPOSSIBLE / 2, "float32")
            words = ops.one_hot(ops.cast(opened[-1][..., 1], "int32"), self.size, dtype="float32")
            chosen = chosen + ops.sum(words * alive, axis=(1, 2))
        return ops.concatenate(drawn, axis=1), ops.concatenate(opened, axis=1)

    def _sample(self, carry, allowed, row_best):
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
        slots = ops.reshape(ops.arange(self.lanes.slots, dtype="float32"), (1, -1, 1)) + ops.zeros_like(totals)
        drawn = ops.stack([totals, ops.cast(words, "float32"), slots], axis=-1)
        return drawn, self._open(drawn, totals)

    def _open(self, drawn, order_by):
        """The best continuations of each lane that do not end: (batch, lanes, width, 3)."""
        ends = ops.equal(drawn[..., 1], float(END))
        if self.lanes.drawn > 1:
            _, order = _best(ops.where(ends, 4 * IMPOSSIBLE, order_by), self.lanes.width)
            drawn = pick(drawn, order)
            ends = ops.equal(drawn[..., 1], float(END))
        dead = ops.convert_to_tensor([2 * IMPOSSIBLE, 0.0, 0.0]) * ops.cast(ends, "float32")[..., None]
        return drawn + dead

    def _finish(self, carry, drawn, allowed):
        """The best of those finished before and those that may end now, in each pool."""
        lanes, step = self.lanes, carry["step"]
        first, pool = lanes.slots - lanes.pools * lanes.width, (lanes.pools, lanes.width)
        ending = allowed[:, first:, END]
        totals = ops.reshape(carry["totals"][:, first:] + ending, (-1, *pool))
        near = ops.arange(lanes.drawn) < max(2 * lanes.width - 1, 1)
        ends = ops.where(ops.logical_and(ops.equal(drawn[..., 1], float(END)), near), drawn[..., 2], -1.0)
        slots = ops.reshape(ops.arange(first, lanes.slots, dtype="float32"), (lanes.pools, 1, lanes.width))
        chosen = ops.any(ops.equal(ends[..., None], slots), axis=2)
        last = ops.equal(step, self.controls["max_words"])
        by_itself = totals / length_penalty(step + 1, self.controls["length_penalty"])
        by_force = totals / ops.cast(step + 1, "float32") - ops.where(last, 2 * FALLBACK, FALLBACK)
        taken = ops.logical_or(chosen, last)
        if lanes.width > 1:
            taken = ops.logical_or(taken, ops.reshape(ending > LEAST_END, (-1, *pool)))
        taken = ops.logical_and(taken, totals > IMPOSSIBLE / 2)
        rank = ops.where(taken, ops.where(chosen, by_itself, by_force), IMPOSSIBLE)
        trail = ops.reshape(carry["trail"][:, first:], (-1, *pool, 3 * self.time))
        length = ops.zeros_like(totals) + ops.cast(step, "float32")
        new = ops.concatenate([totals[..., None], length[..., None], trail], axis=-1)
        rank, order = _best(ops.concatenate([carry["rank"], rank], axis=2), lanes.width)
        return {"rank": rank, "finished": pick(ops.concatenate([carry["finished"], new], axis=2), order)}

    def best(self, carry):
        """All pools together, the best first, with what was recorded on the way to each."""
        width, all_finished = self.structure.width, self.lanes.pools * self.lanes.width
        rank, order = _best(ops.reshape(carry["rank"], (-1, all_finished)), width)
        rows = ops.reshape(carry["finished"], (-1, all_finished, 2 + 3 * self.time))
        total, length, sequence, slots, of_words = ops.split(
            pick(rows, order), [1, 2, 2 + self.time, 2 + 2 * self.time], axis=-1
        )
        length = ops.cast(length[..., 0], "int32")
        history = ops.moveaxis(carry["history"], 0, 1)  # (batch, time, slots, columns)
        found = ops.moveaxis(pick(history, ops.cast(ops.moveaxis(slots, 2, 1), "int32")), 1, 2)
        found = self.reported.split(found, (-1, width, self.time))
        found |= {"words": ops.cast(sequence, "int32"), "word_log_probabilities": of_words}
        inside = ops.arange(self.time) < length[:, :, None]
        return {
            "length": length,
            "log_probability": ops.where(rank > IMPOSSIBLE / 2, total[..., 0], IMPOSSIBLE),
            "rank": rank,
            **{name: _keep(value, inside) for name, value in found.items()},
        }


def _keep(value, inside):
    """value where `inside` (batch, captions, time), zero elsewhere."""
    inside = ops.reshape(inside, (-1, *inside.shape[1:], *([1] * (len(value.shape) - 3))))
    return ops.where(inside, value, ops.zeros_like(value))
