"""Texts by the classes they name: what a picture without captions borrows whose boxes are known."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import numpy as np

from captioner.vocabulary import split_words
from training.data.detections import SURE, Detections, Names, Nouns
from training.data.pipeline import word_places


class NamingTexts:
    """A pool of texts, looked up by the set of classes that they name.

    Args:
        texts: the pool.
        names: which words name which class.
    """

    def __init__(self, texts: Iterable[str], names: Names):
        self.of_classes: dict[frozenset[str], list[str]] = collections.defaultdict(list)
        for text in dict.fromkeys(texts):
            self.of_classes[frozenset(names.find(split_words(text)).values())].append(text)

    def __call__(self, classes: Iterable[str]) -> list[str]:
        """The texts that name these classes and no other, none twice; none for a picture that shows none."""
        wanted = frozenset(classes)
        return self.of_classes.get(wanted, []) if wanted else []


def seen_classes(detections: Detections, photo: str) -> frozenset[str]:
    """Classes that surely stand in a photo."""
    return frozenset(kind for kind, score, *_ in detections.of_photo.get(photo, ()) if score >= SURE)


def best_ranked(texts: Sequence[str], scores: np.ndarray, count: int) -> list[str]:
    """The `count` texts with the best scores, none that scores -inf."""
    return [texts[place] for place in np.argsort(-scores, kind="stable") if np.isfinite(scores[place])][:count]


def boxed(photo: str, text: str, nouns: Nouns) -> dict:
    """A text with the detector's boxes of what it names, as `training.data.datasets.boxes` stores it."""
    stands = {place: position for position, place in word_places(text).items()}
    found = nouns.boxes(photo, split_words(text))
    phrases = [{"word": stands[place], "type": "detected", "boxes": boxes} for place, boxes in found.items()]
    return {"text": text, "phrases": phrases}
