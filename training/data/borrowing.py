"""Captions for photos that have none, borrowed from a pool of texts that fit them.

Photos with captions teach a linear map from what an encoder and a detector see to what people say; the texts that lie
nearest to what is predicted for a photo are its candidates. Borrowed are those that agree most with the other
candidates, or those that a captioning model finds likeliest (`training.data.judging`). They are true of many such
photos, not always of this one: good enough to learn from, never to score by.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence

import numpy as np

from captioner.vocabulary import split_words
from training.data.detections import SURE, Detections
from training.data.features import Features

TOPICS = 300  # dimensions of the space in which texts and photos are compared
LEAST = 20  # texts that hold a word which counts
CHUNK = 4096


class Texts:
    """A pool of texts in a space of topics: latent semantic analysis (Deerwester et al. 1990) of tf-idf counts.

    Args:
        texts: the pool.
        topics: dimensions.
    """

    def __init__(self, texts: Sequence[str], topics: int = TOPICS):
        words = [sorted(set(split_words(text))) for text in texts]
        counts = collections.Counter(word for text in words for word in text)
        kept = sorted(word for word, n in counts.items() if LEAST <= n <= len(texts) / 8)
        self.places = {word: place for place, word in enumerate(kept)}
        self.weights = np.log(len(texts) / np.array([counts[word] for word in kept], np.float32))
        together = sum(bag.T @ bag for bag in self._bags(words))
        self.axes = np.linalg.eigh(together)[1][:, ::-1][:, :topics].astype(np.float32)
        self.vectors = self.embed(words)

    def _bags(self, texts: Sequence[Sequence[str]]):
        """Chunks of weighted counts, (texts, words) each."""
        for start in range(0, len(texts), CHUNK):
            chunk = texts[start : start + CHUNK]
            bag = np.zeros((len(chunk), len(self.places)), np.float32)
            for row, words in enumerate(chunk):
                known = [self.places[word] for word in words if word in self.places]
                bag[row, known] = self.weights[known]
            yield bag

    def embed(self, texts: Sequence[Sequence[str]]) -> np.ndarray:
        """Unit vectors of texts given as words: float32 (texts, topics)."""
        return np.concatenate([_unit(bag @ self.axes) for bag in self._bags(texts)])

    def mean(self, captions: Sequence[str]) -> np.ndarray:
        """The unit vector of what several captions of a photo say together."""
        return _unit(self.embed([split_words(text) for text in captions]).mean(0))

    def bag(self, places: Sequence[int], texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of weighted counts of some texts: (len(places), words)."""
        return _unit(next(self._bags([split_words(texts[place]) for place in places])))


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


def describe_photos(features: Features, photos: Sequence[str], detections: Detections) -> np.ndarray:
    """What is seen in photos as one row of numbers each.

    Mean and maximum of the annotation vectors; of each class its best score, its score times the side of its box, and
    the logarithm of how many there are.
    """
    rows, kinds = [], len(detections.classes)
    for place, photo in enumerate(photos):
        seen = np.zeros((3, kinds), np.float32)
        for kind, score, left, top, right, bottom in detections.of_photo.get(photo, ()):
            column = detections.places[kind]
            side = max((right - left) * (bottom - top), 0.0) ** 0.5
            seen[0, column] = max(seen[0, column], score)
            seen[1, column] = max(seen[1, column], score * side)
            seen[2, column] += score if score >= SURE else 0.0
        seen[2] = np.log1p(seen[2])
        annotations = features[place].astype(np.float32)
        rows.append(np.concatenate([annotations.mean(0), annotations.max(0), seen.ravel()]))
    return np.stack(rows)


class Ridge:
    """A linear map with a penalty on its weights (Hoerl & Kennard 1970), from standardised inputs.

    Args:
        inputs: (rows, numbers).
        targets: (rows, outputs).
        importance: of each row.
        penalty: on the square of the weights.
    """

    def __init__(self, inputs: np.ndarray, targets: np.ndarray, importance: np.ndarray, penalty: float):
        self.mean = np.average(inputs, axis=0, weights=importance)
        self.scale = np.sqrt(np.average((inputs - self.mean) ** 2, axis=0, weights=importance)) + 1e-2
        self.target_mean = np.average(targets, axis=0, weights=importance)
        z = (inputs - self.mean) / self.scale
        weighted = (z * importance[:, None]).T
        gram = weighted @ z + penalty * np.eye(z.shape[1])
        self.weights = np.linalg.solve(gram, weighted @ (targets - self.target_mean)).astype(np.float32)

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs for inputs: (rows, outputs)."""
        return (inputs - self.mean) / self.scale @ self.weights + self.target_mean


def nearest_texts(predicted: np.ndarray, pool: Texts, count: int = 50) -> np.ndarray:
    """Places of the texts that lie nearest to what people would say of a photo.

    Args:
        predicted: that, in the pool's space, (topics,).
        pool: the texts' vectors.
        count: how many.
    """
    return np.argpartition(-(pool.vectors @ _unit(predicted)), count)[:count]


def agreement(places: Sequence[int], pool: Texts, texts: Sequence[str]) -> np.ndarray:
    """How far each of some texts says what the others say: its mean cosine with them, (len(places),)."""
    bags = pool.bag(places, texts)
    return (bags @ bags.T).mean(1)


def yielding(scores: np.ndarray, times: np.ndarray, variety: float) -> np.ndarray:
    """Scores of texts less what each yields to texts that fewer photos have borrowed.

    Without it a few texts that are true of most photos are borrowed again and again, and a decoder learns to write
    nothing else.

    Args:
        scores: of texts.
        times: how many photos have borrowed each already.
        variety: what a text loses for every e-fold of them.
    """
    return scores - variety * np.log1p(times)


def best_texts(places: Sequence[int], scores: np.ndarray, pool: Texts, texts: Sequence[str], count: int) -> list[int]:
    """Places of the `count` texts that a photo borrows: those with the best scores, none in the words of another."""
    bags, chosen = pool.bag(places, texts), []
    for place in np.argsort(-scores):
        if np.isfinite(scores[place]) and all(bags[place] @ bags[other] < 0.95 for other in chosen):
            chosen.append(int(place))
        if len(chosen) == count:
            break
    return [int(places[place]) for place in chosen]
