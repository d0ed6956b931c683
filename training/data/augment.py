"""Mirrored pictures and captions that stay true of them."""

from __future__ import annotations

from collections.abc import Sequence

# A word that tells a side, and what it is in the mirror.
MIRRORED = (
    ("left", "right"),
    ("leftmost", "rightmost"),
    ("lefthand", "righthand"),
    ("lefthanded", "righthanded"),
    ("leftward", "rightward"),
    ("leftwards", "rightwards"),
    ("clockwise", "counterclockwise"),
)
# "left" and "right" tell a side after one of these or before one of those; else they may be "has left" or "right next
# to", and nothing tells which.
BEFORE_A_SIDE = """
the to his her its their my your far upper lower top bottom front back rear from facing faces look looks looking turn
turns turning lean leans leaning point points pointing going heading and or
"""
AFTER_A_SIDE = """
side hand arm leg foot knee shoulder elbow wrist eye ear cheek wing paw corner edge end half lane turn of and or
"""
BEFORE, AFTER = frozenset(BEFORE_A_SIDE.split()), frozenset(AFTER_A_SIDE.split())


def mirror_words(words: Sequence[str], pairs: Sequence[tuple[str, str]] = MIRRORED) -> list[str] | None:
    """The words of a caption as they are true of the mirrored picture, one for each.

    Args:
        words: as `split_words` gives them.
        pairs: words that change places. Of `MIRRORED`, the first pair is only changed where it tells a side.

    Returns:
        None where "left" or "right" may mean something else ("right next to", "has left"): then the caption is not to
        be mirrored.
    """
    swap = dict(pairs) | {b: a for a, b in pairs}
    for place, word in enumerate(words):
        if word in ("left", "right") and word in swap:
            before = words[place - 1] if place else ""
            after = words[place + 1] if place + 1 < len(words) else ""
            if before not in BEFORE and after not in AFTER:
                return None
    return [swap.get(word, word) for word in words]


def mirror_boxes(boxes: Sequence[Sequence[float]]) -> list[list[float]]:
    """Boxes [left, top, right, bottom] in shares of the picture, of the mirrored picture."""
    return [[1 - right, top, 1 - left, bottom] for left, top, right, bottom in boxes]
