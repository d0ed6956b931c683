"""How far a caption can be trusted: the chance that each of its content words is one that people would use.

A small model, fitted to dev pictures by `training.calibrate` and stored in the model folder, reads what the search
knows of a word. It can only say what a folder was calibrated to say; a folder without it gives no confidence.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from captioner.caption import Word
from captioner.config import ConfidenceConfig
from captioner.vocabulary import FUNCTION_WORDS, Vocabulary

# The weights of `ConfidenceConfig`, in this order.
FEATURES = ("probability", "caption", "lead", "focus", "frequency", "shown", "record")
LEAST = 1e-4  # a probability below it counts as this


def rate_words(
    model: ConfidenceConfig, words: Sequence[Word], vocabulary: Vocabulary, known: np.ndarray | None = None
) -> tuple[Word, ...]:
    """The words of a caption, each content word with its confidence.

    Args:
        known: what `captioner.evidence.Evidence.read` says of each word of the vocabulary; None where nothing does.
    """
    content, features = word_features(words, vocabulary, known)
    rated = dict(zip(content, chances(model, features).tolist(), strict=True))
    return tuple(dataclasses.replace(word, confidence=rated.get(place)) for place, word in enumerate(words))


def chances(model: ConfidenceConfig, features: np.ndarray) -> np.ndarray:
    """The logistic model's answer to rows of features: float64 (rows,)."""
    weights = np.array([getattr(model, name) for name in FEATURES])
    return 1.0 / (1.0 + np.exp(-(features @ weights + model.bias)))


def is_content(word: str) -> bool:
    """Whether a word says what a picture shows."""
    return word not in FUNCTION_WORDS


def word_features(
    words: Sequence[Word], vocabulary: Vocabulary, known: np.ndarray | None = None
) -> tuple[list[int], np.ndarray]:
    """What the model reads: places of the content words, and their `FEATURES`, float64 (content words, features)."""
    content = [place for place, word in enumerate(words) if is_content(word.text)]
    logs = [_log(words[place].probability) for place in content]
    mean = sum(logs) / len(logs) if logs else 0.0
    rows = [
        [
            log,
            mean,
            log - _best_other(words[place]),
            focus(words[place].mask),
            -_log_place(words[place].text, vocabulary),
            *((0.0, 0.0) if known is None else known[vocabulary.encode([words[place].text])[0], :2]),
        ]
        for place, log in zip(content, logs, strict=True)
    ]
    return content, np.array(rows).reshape(-1, len(FEATURES))


def focus(mask: np.ndarray) -> float:
    """How narrow a mask is: 0 for the uniform one, 1 for a single cell."""
    shares = mask[mask > 0].astype(np.float64)
    return float(1.0 + (shares * np.log(shares)).sum() / math.log(mask.size)) if mask.size > 1 else 1.0


def _log(probability: float) -> float:
    return math.log(max(probability, LEAST))


def _best_other(word: Word) -> float:
    return _log(max((chance for text, chance in word.alternatives if text != word.text), default=0.0))


def _log_place(text: str, vocabulary: Vocabulary) -> float:
    place = vocabulary.encode([text])[0]
    return math.log(place + 1 if text in vocabulary else len(vocabulary))
