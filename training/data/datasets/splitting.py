"""A split for pictures whose source names none: by picture, by group, always the same for the same names."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Sequence

from training.data.datasets.reading import Record

HELD_OUT = "held out"


def complete_split(records: Sequence[Record], dev: float = 0.1, test: float = 0.1) -> None:
    """Give each record that has no split one, in place.

    Groups (a picture without one is a group by itself) are ordered by a hash of their names: the order of the source
    changes nothing, and all captions of a picture, and all pictures of a group, go the same way. Where a picture of a
    group has a split already, the others of the group get that one. "held out" is dealt out to dev and test alone.

    Args:
        records: of one data set.
        dev, test: shares of the pictures.
    """
    groups: dict[str, list[Record]] = collections.defaultdict(list)
    for record in records:
        groups[record.group or record.image.as_posix()].append(record)
    open_, held_out = [], []
    for key in sorted(groups, key=_draw):
        group = groups[key]
        known = next((record.split for record in group if record.split not in ("", HELD_OUT)), None)
        if known:
            for record in group:
                record.split = record.split if record.split not in ("", HELD_OUT) else known
        else:
            (held_out if group[0].split == HELD_OUT else open_).append(group)
    _deal(held_out, {"dev": dev, "test": test, "train": 0.0})
    _deal(open_, {"dev": dev, "test": test, "train": 1 - dev - test})


def _deal(groups: list[list[Record]], shares: dict[str, float]) -> None:
    """Each group to the split that lacks most; dev, test and train are all filled as soon as there are three groups."""
    total = sum(shares.values()) or 1.0
    have = dict.fromkeys(shares, 0)
    pictures = sum(map(len, groups))
    for group in groups:
        lacking = {name: share / total * pictures - have[name] for name, share in shares.items() if share}
        empty = [name for name in lacking if not have[name]]
        split = max(empty or lacking, key=lacking.get)
        have[split] += len(group)
        for record in group:
            record.split = split


def _draw(key: str) -> tuple[str, str]:
    """The name alone decides, so that a data set may lie anywhere."""
    return hashlib.sha256(key.rpartition("/")[2].encode()).hexdigest(), key
