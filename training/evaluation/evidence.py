"""Learns what a picture by itself says of words: a linear map from pooled annotation vectors to what people use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captioner.confidence import is_content
from captioner.vocabulary import SPECIAL, Vocabulary, split_words
from training.evaluation.calibration import stem

KNOWN = 2000  # words of the vocabulary, the commonest, that the map knows
RANK = 128  # directions of pooled vectors that it reads
PENALTY = 2000.0  # of the ridge, on vectors that were standardised
SMALL = 1e-3  # share of the identity that makes a covariance definite


def learn_map(
    vectors: np.ndarray, references: Sequence[Sequence[str]], vocabulary: Vocabulary
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ridge regression of which words people use of a picture, whatever their ending, reduced to its main directions.

    Args:
        vectors: (pictures, 2 * channels), see `captioner.evidence.pooled`.
        references: what people wrote of each.
        vocabulary: the model's words.

    Returns:
        "directions", "words", "bias" and "usual" of `captioner.evidence.Evidence`.
    """
    used = _used(references, vocabulary)
    mean, scale = vectors.mean(0, dtype=np.float64), vectors.std(0, dtype=np.float64) + SMALL
    z = ((vectors - mean) / scale).astype(np.float32)
    share = used.mean(0)
    together = (z.T @ z).astype(np.float64)
    map_ = np.linalg.solve(together + PENALTY * np.eye(len(together)), (z.T @ (used - share)).astype(np.float64))
    # The directions that matter most for pictures as they are: the predictions' principal components.
    root = np.linalg.cholesky(together / len(z) + SMALL * np.eye(len(together))).T
    left, strength, right = np.linalg.svd(root @ map_, full_matrices=False)
    directions = np.linalg.solve(root, left[:, :RANK] * strength[:RANK]) / scale[:, None]
    words = right[:RANK]
    return directions, words, share - mean @ directions @ words, share


def _used(references: Sequence[Sequence[str]], vocabulary: Vocabulary) -> np.ndarray:
    """Which of the commonest words one of a picture's references holds: float32 (pictures, known words)."""
    columns: dict[str, list[int]] = {}
    for place, word in enumerate(vocabulary.words[:KNOWN]):
        if word not in SPECIAL and is_content(word):
            columns.setdefault(stem(word), []).append(place)
    used = np.zeros((len(references), min(KNOWN, len(vocabulary))), np.float32)
    for row, texts in enumerate(references):
        for found in {stem(word) for text in texts for word in split_words(text)} & columns.keys():
            used[row, columns[found]] = 1.0
    return used
