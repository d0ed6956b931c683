"""Texts by the classes they name: what a picture without captions borrows whose boxes are known."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import numpy as np

from captioner.vocabulary import split_words
from training.data.detections import SURE, Detections, Names


class NamingTexts:
    """A pool of texts, looked up by the set of classes that they name.

    Args:
        texts: the pool.
        names: which words name which class.
    """

    def __init__(self, texts: Iterable[str], names: Names):
        self.of_classes: dict[frozenset[str], list[int]] = collections.defaultdict(list)
        for place, text in enumerate(texts):
            self.of_classes[frozenset(names.find(split_words(text)).values())].append(place)

    def __call__(self, classes: Iterable[str]) -> list[int]:
        """Places of the texts that name these classes and no other; none for a picture that shows none."""
        wanted = frozenset(classes)
        return self.of_classes.get(wanted, []) if wanted else []


def seen_classes(detections: Detections, photo: str) -> frozenset[str]:
    """Classes that surely stand in a photo."""
    return frozenset(kind for kind, score, *_ in detections.of_photo.get(photo, ()) if score >= SURE)


def best_different(texts: Sequence[str], scores: np.ndarray, count: int) -> list[str]:
    """The `count` texts with the best scores, none twice and none that scores -inf."""
    ranked = [texts[place] for place in np.argsort(-scores, kind="stable") if np.isfinite(scores[place])]
    return list(dict.fromkeys(ranked))[:count]
