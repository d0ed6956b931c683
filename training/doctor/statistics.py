"""Numbers that describe the captions of a data set."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

from captioner.vocabulary import split_words
from training.data.datasets.examples import SPLITS, Example

DEFAULT = 5  # min_count of a run that does not set it
FEW = 20  # pictures of a split that is judged on
UNKNOWN = 0.05  # share of the words that may be unknown before it is worth a setting
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


def advice(statistics: Statistics) -> list[str]:
    """What to change before training, one line each; nothing where all is well."""
    lines = []
    if not statistics.captions["train"]:
        lines.append("no picture is in the split 'train', so nothing can be trained; put pictures into it")
    for split, use in (("dev", "chooses the best weights"), ("test", "tells how good the model is")):
        count = statistics.pictures[split]
        if count < FEW:
            lines.append(
                f"{split} has {count} picture{'s' * (count != 1)}, and {split} {use}: with fewer than {FEW} that is "
                f"left to chance; give --{split} a larger share, or add pictures"
            )
    shares = {threshold: unknown for threshold, _, unknown, _ in statistics.vocabulary}
    if (shares[DEFAULT] or 0) > UNKNOWN:
        better = max((t for t, share in shares.items() if t < DEFAULT and share <= UNKNOWN), default=1)
        lines.append(
            f"{100 * shares[DEFAULT]:.1f} % of the words would be unknown, as they occur fewer than {DEFAULT} times; "
            f"train with --set min_count={better}, which leaves {100 * shares[better]:.1f} %"
        )
    return lines
