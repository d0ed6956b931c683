"""What each strategy does at a step of a search in NumPy: which hypotheses go on, and which end.

Hypotheses of a picture stand in lanes that don't compete with each other, as in `captioner.search.in_graph`: a beam has
one lane, and one more for each word that must appear; diverse beam search one for each group, sampling one for each
caption. Here they are plain objects, so that one can read what the graph computes on columns of numbers.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from captioner.search.controls import FALLBACK, IMPOSSIBLE, LEAST_END, Controls
from captioner.vocabulary import END

GROUP = 16  # numbers whose largest is looked at first, where a few of many are wanted


@dataclasses.dataclass
class Hypothesis:
    """A caption on its way.

    Attributes:
        words: ids so far.
        total: sum of their log-probabilities.
        records: what each step reported, by name.
        slot: where its state stands in the last step's arrays.
        forced: 0 where it ended by itself; 1 where a less likely end was kept, 2 where the limit cut it.
        lane: of the hypotheses it competes with.
        met: words that must appear and do.
    """

    words: list[int] = dataclasses.field(default_factory=list)
    total: float = 0.0
    records: list[dict[str, np.ndarray]] = dataclasses.field(default_factory=list)
    slot: int = 0
    forced: int = 0
    lane: int = 0
    met: frozenset[int] = frozenset()

    def rank(self, penalty: float) -> float:
        """Total over Wu's length penalty, the end counted; the mean, behind all of those, where the end was forced."""
        if self.forced:  # as exact as in the graph, so that equals stay equal
            return float(np.float32(self.total / (len(self.words) + 1)) - np.float32(self.forced * FALLBACK))
        return self.total / ((5 + len(self.words) + 1) / 6) ** penalty


@dataclasses.dataclass(frozen=True)
class Continuation:
    """A hypothesis and a word.

    Attributes:
        total: log-probability of both.
        parent: place of the hypothesis among the open ones.
        word: id.
        lane: where it stands from now on.
    """

    total: float
    parent: int
    word: int
    lane: int


def likeliest(values: np.ndarray, count: int) -> np.ndarray:
    """Places of the largest of some numbers, the largest first, of equals the first."""
    groups = len(values) // GROUP
    if count < groups:  # there are as many as asked for that reach the largest of as many groups
        most = values[: groups * GROUP].reshape(GROUP, groups).max(0)
        places = np.flatnonzero(values >= np.partition(most, groups - count)[groups - count])
    else:
        places = np.arange(len(values))
    return places[np.argsort(-values[places], kind="stable")][:count]


def added_up(log_probabilities: np.ndarray, controls: Controls) -> np.ndarray:
    """Log-probabilities (..., vocabulary_size) with those of each kind of words added up, where that is asked for."""
    return controls.neutral.add_up(log_probabilities) if controls.neutral else log_probabilities


def unlimited(log_probabilities: np.ndarray, written: int, controls: Controls) -> np.ndarray:
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
    values = unlimited(log_probabilities, written, controls)
    if written >= controls.max_words:
        others = np.arange(values.shape[-1]) != END
        values[..., others] += IMPOSSIBLE
    return values


def allowed(values: np.ndarray, words: list[int], controls: Controls) -> np.ndarray:
    """`possible` values of one hypothesis, with what its own words and the prefix rule out put out of reach."""
    values = values.copy()
    rule_out(values, words, controls)
    return values


def rule_out(values: np.ndarray, words: list[int], controls: Controls) -> None:
    """Put out of reach, in `values` themselves, what `allowed` does."""
    written, run, within = len(words), controls.options.no_repeat_ngram, controls.options.no_repeat_within
    neutral = controls.neutral
    forced, after_they = written < len(controls.prefix), neutral and words[-1:] == [neutral.they]
    if not (forced or run or within or after_they):
        return
    if forced:
        values[np.arange(len(values)) != controls.prefix[written]] += IMPOSSIBLE
        return
    again = set(words[-within:]) - set(controls.repeatable) if within else set()
    if run:
        tail = words[written - run + 1 :]
        again |= {words[i + run - 1] for i in range(written - run + 1) if words[i : i + run - 1] == tail}
    values[list(again - neutral.written if neutral else again)] += IMPOSSIBLE
    if after_they:
        values[list(neutral.singular)] += IMPOSSIBLE
    if words and words[-1] in controls.after_articles:
        values[controls.after_articles[words[-1]]] += IMPOSSIBLE


def draw(values: np.ndarray, controls: Controls, chance: float) -> int:
    """A word of one place, as `search.in_graph` draws it; the likeliest where the strategy is not "sample"."""
    options = controls.options
    if options.strategy != "sample":
        return int(values.argmax())
    scaled = values / np.float32(options.temperature)
    shares = np.exp(scaled - scaled.max())
    order = np.argsort(-shares, kind="stable")
    shares = shares[order] / shares.sum()
    kept = np.cumsum(shares) - shares < options.top_p
    kept[options.top_k or len(kept) :] = False
    reached = np.cumsum(shares * kept)
    place = int((reached <= chance * reached[-1]).sum())
    return int(order[min(place, int((shares * kept > 0).sum()) - 1)])


class Strategy:
    """The lanes of one search.

    Args:
        controls: of the search.

    Attributes:
        lanes: how many there are.
        width: hypotheses in each.
        pools: sets of finished hypotheses that don't compete with each other.
    """

    def __init__(self, controls: Controls):
        options = controls.options
        self.controls, self.kind = controls, options.strategy
        if self.kind == "sample":
            self.lanes, self.width, self.pools = options.width, 1, options.width
        elif self.kind == "diverse":
            groups = options.groups or options.width
            self.lanes, self.width, self.pools = groups, options.width // groups, groups
        else:
            self.lanes, self.width, self.pools = len(controls.required) + 1, options.width, 1
        self.drawn = 2 * self.width if self.width > 1 else 1
        self._chance = controls.chance() if self.kind == "sample" else None

    def start(self) -> list[Hypothesis]:
        """What a search begins with: a beam in its first lane, others in each."""
        return [Hypothesis(lane=lane) for lane in range(self.pools)]

    def pool(self, hypothesis: Hypothesis) -> int:
        """The pool that it joins when it ends."""
        return hypothesis.lane if self.pools > 1 else 0

    def may_end(self, hypothesis: Hypothesis) -> bool:
        """Whether it holds every word that must appear."""
        return self.pools > 1 or hypothesis.lane == self.lanes - 1

    def draw(self, open_ones: list[Hypothesis], allowed: np.ndarray, written: int) -> list[list[Continuation]]:
        """The best continuations of each lane, the best first, those that end among them.

        Args:
            open_ones: the hypotheses.
            allowed: (hypotheses, vocabulary_size) log-probabilities of their next words.
            written: words before this place.
        """
        if self.kind == "sample":
            return self._sample(open_ones, allowed, written)
        if self.kind == "diverse":
            return self._diverse(open_ones, allowed)
        return [self._lane(lane, open_ones, allowed, written) for lane in range(self.lanes)]

    def follow(self, drawn: list[Continuation]) -> list[Continuation]:
        """Those of a lane's best continuations that stay open; a lane of one ends with its first end."""
        return [each for each in drawn if each.word != END and each.total > IMPOSSIBLE / 2][: self.width]

    def ended(
        self, open_ones: list[Hypothesis], allowed: np.ndarray, drawn: list[list[Continuation]]
    ) -> list[Hypothesis]:
        """Hypotheses that end here: with an end among the best continuations, or with one that is forced on them."""
        chosen = {each.parent for lane in drawn for each in lane[: max(2 * self.width - 1, 1)] if each.word == END}
        last = len(open_ones[0].words) == self.controls.max_words
        ended = []
        for place, before in enumerate(open_ones):
            ending = allowed[place, END]
            total = float(np.float32(before.total) + ending)
            forced = last or (self.width > 1 and ending > LEAST_END)
            if self.may_end(before) and total > IMPOSSIBLE / 2 and (place in chosen or forced):
                ended.append(dataclasses.replace(before, total=total, forced=0 if place in chosen else 1 + last))
        return ended

    def _lane(self, lane, open_ones, allowed, written) -> list[Continuation]:
        """A lane of a beam: its own hypotheses, and those that come to it by a word that must appear."""
        places = [place for place, before in enumerate(open_ones) if before.lane == lane]
        totals = np.array([open_ones[place].total for place in places], np.float32)
        scores = totals[:, None] + self._own([open_ones[place] for place in places], allowed[places], written)
        size = allowed.shape[1]
        movers = [
            (place, word)
            for place, before in enumerate(open_ones)
            if before.lane == lane - 1
            for word in self.controls.required
            if word not in before.met
        ]
        moved = [np.float32(open_ones[place].total) + allowed[place, word] for place, word in movers]
        flat = np.concatenate([scores.ravel(), np.array(moved, np.float32)]) if moved else scores.ravel()
        found = []
        for at in likeliest(flat, self.drawn):
            row, word = divmod(int(at), size)
            parent, word = (places[row], word) if row < len(places) else movers[int(at) - len(places) * size]
            found.append(Continuation(float(flat[at]), parent, word, lane))
        return found

    def _own(self, before: list[Hypothesis], allowed: np.ndarray, written: int) -> np.ndarray:
        """What hypotheses of a lane may go on with in it: no word that would take them to the next."""
        for values, hypothesis in zip(allowed, before, strict=True):
            left = len(self.controls.required) - hypothesis.lane
            if not left:
                continue
            values[[word for word in self.controls.required if word not in hypothesis.met]] += IMPOSSIBLE
            if left > self.controls.max_words - written - 1:  # no room for a word besides them
                values += IMPOSSIBLE
            else:
                values[END] += IMPOSSIBLE
        return allowed

    def _diverse(self, open_ones, allowed) -> list[list[Continuation]]:
        """Group after group, each avoiding the words that the groups before it chose at this step."""
        size = allowed.shape[1]
        taken, found = np.zeros(size, np.float32), []
        for lane in range(self.lanes):
            places = [place for place, before in enumerate(open_ones) if before.lane == lane]
            own = np.array([np.float32(open_ones[place].total) + allowed[place] for place in places], np.float32)
            own = own.reshape(len(places), size)
            order = likeliest((own - np.float32(self.controls.options.diversity) * taken).ravel(), self.drawn)
            spots = [divmod(int(at), size) for at in order]
            found.append([Continuation(float(own[row, word]), places[row], word, lane) for row, word in spots])
            for each in self.follow(found[-1]):
                taken[each.word] += 1
        return found

    def _sample(self, open_ones, allowed, written) -> list[list[Continuation]]:
        """One word for each caption, drawn by its number in "chance"."""
        found = []
        for place, before in enumerate(open_ones):
            word = draw(allowed[place], self.controls, float(self._chance[before.lane, written]))
            total = float(np.float32(before.total) + allowed[place, word])
            found.append([Continuation(total, place, word, before.lane)])
        return found
