"""What a detector saw: boxes of named classes.

{photo: [[class, score, left, top, right, bottom], …]}, boxes in shares of the photo. A detector is a teacher: it draws
the class maps that an encoder learns (`captioner.network.class_maps`) and the boxes of nouns that nobody boxed. It is
not needed where captions are written.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import numpy as np
import pydantic

from captioner.errors import DatasetError
from training.data.class_names import OTHER_NAMES
from training.data.datasets.json_text import check, read_json

SURE = 0.3  # a detection with this score is taken for a thing that is there
Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Detection = tuple[str, Share, Share, Share, Share, Share]
_LAYOUT = pydantic.TypeAdapter(dict[str, list[Detection]])


@dataclasses.dataclass(frozen=True)
class Detections:
    """Detections of many photos.

    Args:
        of_photo: {file name: detections}.
        classes: all class names, in the order of the maps.
    """

    of_photo: Mapping[str, Sequence[Detection]]
    classes: tuple[str, ...]

    def maps(self, name: str, grid: tuple[int, int]) -> np.ndarray:
        """Where each class is: each detection a bump of its score in its box, float32 (locations, classes)."""
        target = np.zeros((grid[0] * grid[1], len(self.classes)), np.float32)
        for kind, score, *box in self.of_photo.get(name, ()):
            column = self.places[kind]
            target[:, column] = np.maximum(target[:, column], score * bump(box, grid))
        return target

    @functools.cached_property
    def places(self) -> dict[str, int]:
        """{class: its map}"""
        return {name: place for place, name in enumerate(self.classes)}

    @functools.cached_property
    def boxes_of(self) -> dict[str, list[Sequence[float]]]:
        """{class: boxes of it that are surely there}, from all photos."""
        boxes: dict[str, list[Sequence[float]]] = {name: [] for name in self.classes}
        for found in self.of_photo.values():
            for kind, score, *box in found:
                if score >= SURE:
                    boxes[kind].append(box)
        return boxes

    def boxes(self, name: str, kind: str) -> list[list[float]]:
        """Boxes of a class in a photo, as far as the detector is sure of them."""
        return [box for found, score, *box in self.of_photo.get(name, ()) if found == kind and score >= SURE]


def bump(box: Sequence[float], grid: tuple[int, int]) -> np.ndarray:
    """1 in the middle of a box, about 0.6 at its edges, 0 beyond: float32 (rows * columns,).

    A box smaller than a cell still lights the cell that holds its middle.
    """
    left, top, right, bottom = box
    across = _profile(left, right, grid[1])
    down = _profile(top, bottom, grid[0])
    return (down[:, None] * across).ravel()


def _profile(low: float, high: float, cells: int) -> np.ndarray:
    centres = (np.arange(cells) + 0.5) / cells
    middle, half = (low + high) / 2, max((high - low) / 2, 0.5 / cells)
    distance = np.abs(centres - middle) / half
    return np.where(distance <= 1.0, np.exp(-0.25 * distance**2), 0.0).astype(np.float32)


def read_detections(paths: Iterable[str | pathlib.Path], classes: Sequence[str] = ()) -> Detections:
    """Read detections, gzipped or plain JSON.

    Args:
        paths: the files, each of other photos.
        classes: which classes, in which order; others are left out. Empty takes all that occur, by name.

    Raises:
        DatasetError: a file is missing or not in the layout.
    """
    of_photo = {photo: found for path in paths for photo, found in _read(path).items()}
    names = tuple(classes) or tuple(sorted({found[0] for all_found in of_photo.values() for found in all_found}))
    kept = set(names)
    return Detections({photo: [f for f in found if f[0] in kept] for photo, found in of_photo.items()}, names)


def write_detections(of_photo: Mapping[str, Sequence[Sequence]], path: pathlib.Path) -> None:
    """Write what `read_detections` reads."""
    path.write_bytes(gzip.compress(json.dumps(of_photo).encode(), mtime=0))


def _read(path: str | pathlib.Path) -> dict[str, list[Detection]]:
    try:
        return check(_LAYOUT, read_json(pathlib.Path(path)))
    except (DatasetError, ValueError) as error:
        raise DatasetError(
            f"cannot read the detections {path}: {error}; expected "
            "{photo: [[class, score, left, top, right, bottom], …]}"
        ) from None


class Names:
    """Which class the words of a caption name.

    Args:
        classes: class names, such as "dog" and "traffic light"; `training.data.class_names` knows other words for some.
    """

    def __init__(self, classes: Iterable[str]):
        self.classes: dict[tuple[str, ...], str] = {}
        for kind in classes:
            for name in (kind, *OTHER_NAMES.get(kind, ())):
                for form in (name, *plurals(name)):
                    self.classes.setdefault(tuple(form.split()), kind)
        self.longest = max(map(len, self.classes), default=1)

    def find(self, words: Sequence[str]) -> dict[int, str]:
        """{place of a word: the class it names}; of a name of several words, the place of the last."""
        found, place = {}, 0
        while place < len(words):
            most = min(self.longest, len(words) - place)
            length = next((n for n in range(most, 0, -1) if tuple(words[place : place + n]) in self.classes), 0)
            if length:
                found[place + length - 1] = self.classes[tuple(words[place : place + length])]
            place += length or 1
        return found


@dataclasses.dataclass(frozen=True)
class Nouns:
    """Boxes of the nouns of a caption, from detections of the classes that they name."""

    detections: Detections
    names: Names

    def boxes(self, photo: str, words: Sequence[str]) -> dict[int, list[list[float]]]:
        """{place of a word: where the detector saw what it names}."""
        seen = {place: self.detections.boxes(photo, kind) for place, kind in self.names.find(words).items()}
        return {place: boxes for place, boxes in seen.items() if boxes}


def plurals(name: str) -> tuple[str, ...]:
    """Regular plurals of an English noun; one that does not exist harms nobody."""
    if name.endswith(("s", "sh", "ch", "x")):
        return (name + "es",)
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return (name[:-1] + "ies",)
    if name.endswith("fe"):
        return (name + "s", name[:-2] + "ves")
    return (name + "s",)
