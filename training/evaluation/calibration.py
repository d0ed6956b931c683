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
from captioner.vocabulary import Vocabulary, split_words

BINS = 10
STEPS, RATE = 4000, 0.5  # of the fit, which has six numbers to find
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
    """

    features: np.ndarray
    right: np.ndarray
    captions: np.ndarray


def judge(captions: Sequence[Caption], references: Sequence[Sequence[str]], vocabulary: Vocabulary) -> Judged:
    """Content words of captions, each of a picture with references."""
    features, right, places = [np.zeros((0, len(FEATURES)))], [], []
    for place, (caption, texts) in enumerate(zip(captions, references, strict=True)):
        features.append(word_features(caption.words, vocabulary)[1])
        found = right_words([word.text for word in caption.words], texts)
        right += found
        places += [place] * len(found)
    return Judged(np.concatenate(features), np.array(right, bool), np.array(places, int))


def fit(judged: Judged) -> ConfidenceConfig:
    """The logistic model with no negative weight that makes the judgements likeliest, and its threshold."""
    scale = judged.features.std(0) + 1e-9
    mean = judged.features.mean(0)
    z = (judged.features - mean) / scale
    weights, bias = np.zeros(z.shape[1]), 0.0
    for _ in range(STEPS):
        wrong = 1.0 / (1.0 + np.exp(-(z @ weights + bias))) - judged.right
        weights = np.maximum(weights - RATE * (z.T @ wrong) / len(wrong), 0.0)
        bias -= RATE * wrong.mean()
    weights = weights / scale
    values = dict(zip(FEATURES, weights.tolist(), strict=True))
    model = ConfidenceConfig(bias=float(bias - mean @ weights), **values, threshold=0.0)
    return model.model_copy(update={"threshold": _threshold(chances(model, judged.features), judged)})


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
