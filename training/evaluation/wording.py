"""What figures of n-grams don't tell: how many content words are people's, and whether a caption says a thing twice."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Sequence

import numpy as np
from PIL import Image

from captioner.vocabulary import split_words
from training.evaluation.calibration import right_words

REPETITION = re.compile(r"\b(\w+) (?:is |are )?(?:\w+ )?(?:in|with|and|on) an? (?:\w+ )?\1\b")
RESAVED_SIDE, RESAVED_QUALITY = 224, 95


def wording(captions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """Figures of captions.

    Returns:
        "content_precision", the share of content words that one of the references holds, whatever their ending, mean
        over captions; "content_precision_people", the same for each picture's first reference against its others;
        "repetition", the share of captions such as "a boy in a shirt and a red shirt"; "twice_running", of those that
        say a word twice running.
    """
    several = [texts for texts in references if len(texts) > 1]
    return {
        "content_precision": content_precision(captions, references),
        "content_precision_people": content_precision([t[0] for t in several], [t[1:] for t in several]),
        "repetition": float(np.mean([repeats(text) for text in captions])),
        "twice_running": float(np.mean([twice_running(text) for text in captions])),
    }


def content_precision(captions: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """Mean share of a caption's content words that its references hold; captions without content words are left out."""
    found = [right_words(split_words(text), texts) for text, texts in zip(captions, references, strict=True)]
    return float(np.mean([np.mean(right) for right in found if right])) if any(found) else 0.0


def repeats(caption: str) -> bool:
    """Whether a caption joins a thing to itself: "a boy in a shirt and a red shirt", "a horse is riding on a horse"."""
    return bool(REPETITION.search(" ".join(split_words(caption))))


def twice_running(caption: str) -> bool:
    """Whether a word stands twice running."""
    words = split_words(caption)
    return any(first == second for first, second in itertools.pairwise(words))


def resaved(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A picture at 224 px a side, and that one saved once more as JPEG: people see no difference."""
    small = picture.convert("RGB").resize((RESAVED_SIDE, RESAVED_SIDE), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=RESAVED_QUALITY)
    return small, Image.open(file)
