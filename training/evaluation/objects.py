"""Are the things that a caption names in the picture, and its masks on them? F1_all and F1_loc of Zhou et al. 2019.

"Grounded Video Description", section 5 and its published script: every object word of a caption that the model wrote is
held against each reference in turn. It is right if the reference has a boxed phrase of that class, and in its place if
the box of its mask overlaps one of the phrase's boxes by more than half of what both cover. A class is a head noun
whatever its ending, named by at least `LEAST` boxed phrases of the split. Scores are averaged over classes, so that
"man" counts for no more than "guitar".
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Sequence

import numpy as np

from captioner.caption import Caption
from captioner.vocabulary import split_words
from training.data.pipeline import box_shares, word_places
from training.evaluation.calibration import stem

LEAST = 10  # boxed phrases of a class that counts
OVERLAP = 0.5  # intersection over union, from which two boxes are of one thing
Boxes = Sequence[Sequence[float]]


@dataclasses.dataclass(frozen=True)
class Reference:
    """One reference of a picture.

    Attributes:
        boxes: of each class that it boxes, those of the first phrase.
        words: stems of all of its words.
    """

    boxes: dict[str, Boxes]
    words: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Objects:
    """Object words of one caption.

    Attributes:
        boxes: of each class that it names, that of the first mask.
        masks: the masks.
    """

    boxes: dict[str, list[float]]
    masks: dict[str, np.ndarray]


def judge_objects(captions: Sequence[Caption], boxes: Sequence[list[dict]]) -> dict[str, float]:
    """F1_all, F1_loc and attention correctness of captions that the model wrote.

    Args:
        captions: one a picture.
        boxes: each picture's references with their phrases, as in `training.data.datasets`.

    Returns:
        {} where no class has `LEAST` boxed phrases. Else "classes"; "f1_all", in which a thing that is not there or
        left out counts as wrong; "f1_loc", of the things alone that are named rightly; "attention_correctness", the
        attention inside the boxes of these, mean over words (Liu et al. 2017, section 3.2).
    """
    references = [[_reference(entry) for entry in entries] for entries in boxes]
    counts = collections.Counter(kind for row in references for reference in row for kind in reference.boxes)
    classes = {kind for kind, count in counts.items() if count >= LEAST}
    if not classes:
        return {}
    written = [_objects(caption, classes) for caption in captions]
    precise, found = collections.defaultdict(list), collections.defaultdict(list)
    inside = []
    for objects, row in zip(written, references, strict=True):
        for reference in row:
            _hold(objects, reference, classes, precise, found)
        inside += _inside(objects, row)
    figures = {"classes": float(len(classes)), "attention_correctness": float(np.mean(inside)) if inside else 0.0}
    for name, chosen in (("f1_all", lambda values: values), ("f1_loc", _named)):
        precision, recall = (_mean(chosen(by_class), classes) for by_class in (precise, found))
        figures[name] = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return figures


def mask_box(mask: np.ndarray) -> list[float]:
    """The box around the cells that hold half of the largest value or more: [left, top, right, bottom] in shares."""
    rows, columns = np.nonzero(mask >= mask.max() / 2)
    height, width = mask.shape
    return [
        float(columns.min() / width),
        float(rows.min() / height),
        float((columns.max() + 1) / width),
        float((rows.max() + 1) / height),
    ]


def overlap(first: Sequence[float], second: Sequence[float]) -> float:
    """Intersection over union of two boxes."""
    sides = [max(0.0, min(first[i + 2], second[i + 2]) - max(first[i], second[i])) for i in (0, 1)]
    both = sides[0] * sides[1]
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)) - both
    return both / area if area > 0 else 0.0


def _reference(entry: dict) -> Reference:
    words, places = split_words(entry["text"]), word_places(entry["text"])
    boxes: dict[str, Boxes] = {}
    for phrase in sorted(entry["phrases"], key=lambda phrase: phrase["word"]):
        if phrase["word"] in places:
            boxes.setdefault(stem(words[places[phrase["word"]]]), phrase["boxes"])
    return Reference(boxes, frozenset(map(stem, words)))


def _objects(caption: Caption, classes: set[str]) -> Objects:
    masks: dict[str, np.ndarray] = {}
    for word in caption.words:
        if stem(word.text) in classes:
            masks.setdefault(stem(word.text), word.mask)
    return Objects({kind: mask_box(mask) for kind, mask in masks.items()}, masks)


def _hold(objects: Objects, reference: Reference, classes: set[str], precise: dict, found: dict) -> None:
    """Add one caption held against one reference: True or False where a thing is named rightly, else None."""
    for kind, box in objects.boxes.items():
        if kind in reference.boxes:
            precise[kind].append(_in_place(box, reference.boxes[kind]))
        elif kind not in reference.words:  # a word that the reference has and nobody boxed proves nothing
            precise[kind].append(None)
    for kind in reference.boxes.keys() & classes:
        found[kind].append(_in_place(objects.boxes[kind], reference.boxes[kind]) if kind in objects.boxes else None)


def _in_place(box: Sequence[float], boxes: Boxes) -> bool:
    return max(overlap(box, other) for other in boxes) > OVERLAP


def _inside(objects: Objects, references: Sequence[Reference]) -> list[float]:
    """Attention inside the boxes of each thing that is named rightly, whichever reference boxes it."""
    shares = []
    for kind, mask in objects.masks.items():
        boxes = [box for reference in references for box in reference.boxes.get(kind, ())]
        if boxes:
            shares.append(float((mask.ravel() * box_shares(boxes, mask.shape)).sum()))
    return shares


def _named(by_class: dict[str, list]) -> dict[str, list]:
    return {kind: [value for value in values if value is not None] for kind, values in by_class.items()}


def _mean(by_class: dict[str, list], classes: set[str]) -> float:
    """Mean over classes of the share that is right; a class without any counts as nought."""
    return sum(np.mean([bool(value) for value in values]) for values in by_class.values() if values) / len(classes)
