"""Numbers that describe the captions of a data set."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

from captioner.vocabulary import split_words
from training.data.datasets.examples import SPLITS, Example

THRESHOLDS = (1, 2, 3, 4, 5, 6, 8, 10)


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What the doctor counts.

    Attributes:
        pictures, captions: of each split.
        lengths: words in each caption.
        captions_per_picture: of each picture.
        vocabulary: rows (threshold, words kept, share of the training captions' words that are unknown then, the same
            of the dev captions'; None where there are none).
        words: (word, count) in the training captions, the commonest first.
    """

    pictures: dict[str, int]
    captions: dict[str, int]
    lengths: list[int]
    captions_per_picture: list[int]
    vocabulary: list[tuple[int, int, float | None, float | None]]
    words: list[tuple[str, int]]


def describe(examples: Sequence[Example]) -> Statistics:
    """Count pictures, captions and words."""
    by_split = {split: [example for example in examples if example.split == split] for split in SPLITS}
    counts = {split: collections.Counter() for split in SPLITS}
    lengths = []
    for example in examples:
        for text in example.captions:
            words = split_words(text)
            lengths.append(len(words))
            counts[example.split].update(words)
    return Statistics(
        {split: len(chosen) for split, chosen in by_split.items()},
        {split: sum(len(example.captions) for example in chosen) for split, chosen in by_split.items()},
        lengths,
        [len(example.captions) for example in examples],
        [_threshold(counts["train"], counts["dev"], threshold) for threshold in THRESHOLDS],
        counts["train"].most_common(),
    )


def _threshold(train: collections.Counter, dev: collections.Counter, threshold: int):
    kept = {word for word, count in train.items() if count >= threshold}

    def unknown(counts):
        total = counts.total()
        return sum(count for word, count in counts.items() if word not in kept) / total if total else None

    return threshold, len(kept), unknown(train), unknown(dev)
