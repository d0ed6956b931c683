"""Is a confidence worth its name? Content words held against what people wrote, and a model fitted to that."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from nltk.stem import PorterStemmer

from captioner.caption import Caption
from captioner.confidence import FEATURES, chances, is_content, word_features
from captioner.config import ConfidenceConfig
from captioner.errors import DatasetError
from captioner.vocabulary import Vocabulary, split_words

BINS = 10
STEPS, RATE = 4000, 0.5  # of the fit, which has eight numbers to find
FOLDS = 5
DOUBT = 8.0  # how often a word must have been written for its own record to count as much as that of all words
RECORD = FEATURES.index("record")
WANTED = 0.9  # share of the sure captions that have most of their content words right


@functools.lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """A word without its ending (Porter 1980): "running" and "runs" are one."""
    return PorterStemmer().stem(word)


def right_words(words: Sequence[str], references: Sequence[str]) -> list[bool]:
    """Whether each content word of a caption is, whatever its ending, in one of the references."""
    used = {stem(word) for text in references for word in split_words(text)}
    return [stem(word) in used for word in words if is_content(word)]


@dataclasses.dataclass(frozen=True)
class Judged:
    """Content words of captions: what is known of them, and whether people used them.

    Attributes:
        features: float64 (content words, features), see `captioner.confidence.word_features`.
        right: bool (content words,).
        captions: which caption each belongs to, int (content words,).
        stems: the words without their endings.
    """

    features: np.ndarray
    right: np.ndarray
    captions: np.ndarray
    stems: np.ndarray


def judge(
    captions: Sequence[Caption],
    references: Sequence[Sequence[str]],
    vocabulary: Vocabulary,
    known: Sequence[np.ndarray],
) -> Judged:
    """Content words of captions, each of a picture with references.

    Args:
        known: what `captioner.evidence.Evidence.read` says of each picture.
    """
    features, right, places, stems = [np.zeros((0, len(FEATURES)))], [], [], []
    for place, (caption, texts, of_picture) in enumerate(zip(captions, references, known, strict=True)):
        content, rows = word_features(caption.words, vocabulary, of_picture)
        features.append(rows)
        right += right_words([word.text for word in caption.words], texts)
        stems += [stem(caption.words[i].text) for i in content]
        places += [place] * len(content)
    return Judged(np.concatenate(features), np.array(right, bool), np.array(places, int), np.array(stems, str))


@dataclasses.dataclass(frozen=True)
class Fit:
    """What was learned of confidence.

    Attributes:
        model: the logistic model and its threshold.
        records: log odds that a word is right, by stem.
        unknown: the same of words that were never written.
        chances: of each content word, by a model that was fitted without its caption: float64 (content words,).
    """

    model: ConfidenceConfig
    records: dict[str, float]
    unknown: float
    chances: np.ndarray


def fit(judged: Judged) -> Fit:
    """The logistic model with no negative weight that makes the judgements likeliest, and its threshold.

    A word's record comes from the same captions that the model is fitted to and judged on. So for that it is the
    record over the other folds of the captions, as it is for a caption that is new.

    Raises:
        DatasetError: there are too few captions for that.
    """
    folds = judged.captions % FOLDS
    if len(np.unique(folds)) < FOLDS:
        raise DatasetError(f"calibration needs {FOLDS} pictures or more whose captions say something; give more")
    features = judged.features.copy()
    for fold in range(FOLDS):
        inside = folds == fold
        records, unknown = word_records(judged.stems[~inside], judged.right[~inside])
        features[inside, RECORD] = [records.get(word, unknown) for word in judged.stems[inside]]
    outside = np.zeros(len(features))
    for fold in range(FOLDS):
        inside = folds == fold
        outside[inside] = chances(_logistic(features[~inside], judged.right[~inside]), features[inside])
    model = _logistic(features, judged.right).model_copy(update={"threshold": _threshold(outside, judged)})
    return Fit(model, *word_records(judged.stems, judged.right), outside)


def word_records(stems: np.ndarray, right: np.ndarray) -> tuple[dict[str, float], float]:
    """Log odds that each word is right, held towards those of all words, and these.

    Args:
        stems, right: of content words as they were written.
    """
    odds = lambda chance: float(np.log(chance / (1.0 - chance)))
    mean = (right.sum() + 1.0) / (len(right) + 2.0)
    words, places, counts = np.unique(stems, return_inverse=True, return_counts=True)
    sums = np.bincount(places, right, minlength=len(words))
    rates = (sums + DOUBT * mean) / (counts + DOUBT)
    return {str(word): odds(rate) for word, rate in zip(words, rates, strict=True)}, odds(mean)


def _logistic(features: np.ndarray, right: np.ndarray) -> ConfidenceConfig:
    scale, mean = features.std(0) + 1e-9, features.mean(0)
    z = (features - mean) / scale
    weights, bias = np.zeros(z.shape[1]), 0.0
    for _ in range(STEPS):
        wrong = 1.0 / (1.0 + np.exp(-(z @ weights + bias))) - right
        weights = np.maximum(weights - RATE * (z.T @ wrong) / len(wrong), 0.0)
        bias -= RATE * wrong.mean()
    weights = weights / scale
    values = dict(zip(FEATURES, weights.tolist(), strict=True))
    return ConfidenceConfig(bias=float(bias - mean @ weights), **values, threshold=0.0)


def _threshold(of_words: np.ndarray, judged: Judged) -> float:
    """The lowest confidence above which `WANTED` of the captions have most of their content words right."""
    count = np.bincount(judged.captions)
    there = count > 0
    confidence = (np.bincount(judged.captions, of_words) / np.maximum(count, 1))[there]
    good = (np.bincount(judged.captions, judged.right) / np.maximum(count, 1) > 0.5)[there]
    order = np.argsort(-confidence)
    share = np.cumsum(good[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(share >= WANTED)
    return float(confidence[order][enough[-1]]) if len(enough) else 1.0


def trust(captions: Sequence[Caption], references: Sequence[Sequence[str]]) -> dict:
    """How far the confidences of captions hold: {} where the model is not calibrated.

    Returns:
        "calibration_error"; "sure", the share of captions that are; "right_when_sure", of these the share that has most
        of its content words right; "reliability", rows of `reliability`.
    """
    if not captions or captions[0].confidence is None:
        return {}
    found = [right_words([word.text for word in c.words], t) for c, t in zip(captions, references, strict=True)]
    right = np.array([value for row in found for value in row], bool)
    given = np.array([w.confidence for c in captions for w in c.words if w.confidence is not None])
    good = [sum(row) > len(row) / 2 for row, caption in zip(found, captions, strict=True) if caption.sure]
    return {
        "calibration_error": calibration_error(given, right),
        "sure": float(np.mean([caption.sure for caption in captions])),
        "right_when_sure": float(np.mean(good)) if good else None,
        "reliability": reliability(given, right),
    }


def calibration_error(confidences: np.ndarray, right: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3): |accuracy - confidence| of equal bins, weighted."""
    total = 0.0
    for _, mean, accuracy, share in reliability(confidences, right, bins):
        total += share * abs(accuracy - mean)
    return total


def reliability(
    confidences: np.ndarray, right: np.ndarray, bins: int = BINS
) -> list[tuple[float, float, float, float]]:
    """Of each bin that is not empty: its lower edge, mean confidence, accuracy, share of the words."""
    places = np.minimum((np.asarray(confidences) * bins).astype(int), bins - 1)
    rows = []
    for place in range(bins):
        inside = places == place
        if inside.any():
            rows.append(
                (place / bins, float(confidences[inside].mean()), float(right[inside].mean()), float(inside.mean()))
            )
    return rows
