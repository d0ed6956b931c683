"""Do the masks fall on what their words name? Attention over reference captions, held against people's boxes."""

from __future__ import annotations

import collections
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from captioner.caption import Caption
from captioner.errors import DatasetError
from captioner.network.model import CaptionModel
from captioner.search.graphs import MaskReader
from captioner.vocabulary import PAD, START, Vocabulary, split_words
from training.data.datasets import Example
from training.data.pipeline import EncodedCaption, box_shares, encode_captions, word_places

SMALL = 0.3  # boxes under this share of the picture: there, pointing at the middle is no answer
# Words that "neighbours" passes over. The list is that of the published figures and stays as it is, so that they can be
# compared, whatever becomes of `captioner.vocabulary.FUNCTION_WORDS`, which holds these and more.
NOT_NEIGHBOURS = frozenset(
    {
        "a", "an", "the", "this", "that", "some", "another", "and", "or", "but", "while", "as", "of", "in",
        "on", "at", "by", "to", "from", "with", "into", "onto", "over", "under", "through", "near", "up",
        "down", "off", "out", "is", "are", "was", "were", "be", "being", "has", "have", "it", "its", "he",
        "she", "his", "her", "their", "they",
    }
)  # fmt: skip


def measure(mask: np.ndarray, boxes: Sequence[Sequence[float]]) -> dict[str, float]:
    """One mask against the boxes of its word.

    Args:
        mask: (rows, columns), sums to 1.
        boxes: [left, top, right, bottom] in shares of the picture.

    Returns:
        point: 1 where the centre of the largest cell lies in a box (the pointing game, Zhang et al. 2016);
        centre: the same for a mask that points at the middle of the picture; mass: attention inside the boxes, each
        cell counted by the share of it that lies inside; area: share of the picture inside the boxes, which is the
        mass of a uniform mask; entropy: as a share of the uniform mask's.
    """
    rows, columns = mask.shape
    row, column = np.unravel_index(mask.argmax(), mask.shape)

    def inside(x: float, y: float) -> float:
        return float(any(left <= x < right and top <= y < bottom for left, top, right, bottom in boxes))

    return {
        "point": inside((column + 0.5) / columns, (row + 0.5) / rows),
        "centre": inside(0.5, 0.5),
        "mass": float((mask.ravel() * box_shares(boxes, (rows, columns))).sum()),
        "area": covered(boxes),
        "entropy": float(-(mask * np.log(mask + 1e-12)).sum() / np.log(mask.size)),
    }


def covered(boxes: Sequence[Sequence[float]]) -> float:
    """Share of the picture inside the boxes, which may lie over each other: their edges cut it into few cells."""
    edges = np.clip(np.asarray(boxes, np.float64), 0.0, 1.0)
    xs, ys = np.unique(edges[:, [0, 2]]), np.unique(edges[:, [1, 3]])
    inside = np.zeros((len(ys), len(xs)), bool)
    for left, top, right, bottom in edges:
        inside[np.ix_((top <= ys) & (ys < bottom), (left <= xs) & (xs < right))] = True
    return float((inside * np.outer(np.diff(ys, append=1.0), np.diff(xs, append=1.0))).sum())


def evaluate_boxes(
    model: CaptionModel,
    vocabulary: Vocabulary,
    examples: Sequence[Example],
    annotations: Callable[[int, int], np.ndarray],
    boxes: dict[str, list[dict]],
    batch_size: int = 16,
) -> dict[str, dict[str, float]]:
    """`measure`, averaged over the words of reference captions that have boxes.

    Args:
        examples: pictures with their captions.
        annotations: start, stop -> annotation vectors of examples[start:stop].
        boxes: as in `training.data.datasets`.

    Returns:
        {"all": …, "small": …} with the number of words "n"; "small" are those whose boxes cover under 30 %.

    Raises:
        DatasetError: none of the pictures has boxes.
    """
    longest = model.config.decoder.max_words + 8
    captions = encode_captions(examples, vocabulary, longest, boxes)
    by_picture: list[list[EncodedCaption]] = [[] for _ in examples]
    for caption in captions:
        by_picture[caption.picture].append(caption)
    reader = MaskReader(model.decoder)
    found = collections.defaultdict(list)
    for start in range(0, len(examples), batch_size):
        batch = by_picture[start : start + batch_size]
        masks = reader.predict_on_batch(_inputs(annotations(start, start + len(batch)), batch, longest + 1))
        for i, row in enumerate(batch):
            for j, caption in enumerate(row):
                for time, places in caption.boxes.items():
                    result = measure(masks[i, j, time].reshape(model.encoder.grid), places)
                    found["all"].append(result)
                    if result["area"] < SMALL:
                        found["small"].append(result)
    if not found:
        raise DatasetError("none of these pictures has boxes of words; are they of this data set?")
    return {kind: average(rows) for kind, rows in found.items()}


def measure_written(captions: Sequence[Caption], boxes: Sequence[list[dict]]) -> list[dict[str, float]]:
    """`measure` for the words of captions that the model wrote itself, where one of the references is the same.

    Teacher forcing asks for the mask of a noun that the model may not have been about to write; here it wrote it.

    Args:
        captions: one a picture.
        boxes: each picture's references with their phrases, as in `training.data.datasets`.
    """
    rows = []
    for caption, references in zip(captions, boxes, strict=True):
        words = [word.text for word in caption.words]
        entry = next((entry for entry in references if split_words(entry["text"]) == words), None)
        if entry:
            places = word_places(entry["text"])
            rows += [
                measure(caption.words[places[phrase["word"]]].mask, phrase["boxes"])
                for phrase in entry["phrases"]
                if phrase["word"] in places
            ]
    return rows


def shared_by_neighbours(captions: Sequence[Caption]) -> float:
    """Attention that two content words in a row have in common, 0 to 1, averaged: sum_i min(alpha_i, alpha'_i).

    Content words are all but `NOT_NEIGHBOURS`, which are passed over.

    Masks that hardly move from word to word share nearly all of it.
    """
    shares = []
    for caption in captions:
        content = [word for word in caption.words if word.text not in NOT_NEIGHBOURS]
        shares += [np.minimum(a.mask, b.mask).sum() for a, b in itertools.pairwise(content)]
    return float(np.mean(shares)) if shares else 0.0


def _inputs(annotations: np.ndarray, batch: list[list[EncodedCaption]], steps: int) -> dict[str, np.ndarray]:
    words = np.full((len(batch), max(map(len, batch)), steps), PAD, np.int32)
    words[:, :, 0] = START
    for i, row in enumerate(batch):
        for j, caption in enumerate(row):
            words[i, j, 1 : len(caption.ids)] = caption.ids[:-1]
    return {"annotations": annotations, "words": words}


def average(rows: list[dict[str, float]]) -> dict[str, float]:
    """Their number "n" and the mean of each figure."""
    return {"n": len(rows)} | {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
