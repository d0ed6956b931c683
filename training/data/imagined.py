"""Pictures for captions that have none: class maps of the things a text names, at places drawn at random."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from captioner.network.class_maps import STRENGTH
from training.data.detections import Detections, bump

FORGOTTEN = 0.1  # share of named things that are not drawn: a detector misses some
FALSE = 0.3  # share of pictures with a faint thing that the text does not name
SECOND = 0.25  # share of things drawn twice


class ImaginedPictures:
    """Annotation vectors without appearance: class maps of what a text names, all other channels nought.

    A decoder that reads them learns words of things that no captioned photo shows; it finds the same things in photos
    by their maps. The boxes that the maps are drawn in are those of real detections of the class.

    Args:
        detections: whose boxes are borrowed, and the classes of the maps.
        grid: rows and columns.
        channels: of the annotation vectors, the class maps among them.
    """

    def __init__(self, detections: Detections, grid: tuple[int, int], channels: int):
        self.detections, self.grid, self.channels = detections, grid, channels
        self.appearance = channels - len(detections.classes)  # channels that are no maps

    def draw(self, named: Mapping[int, str], draw: np.random.Generator) -> tuple[np.ndarray, dict[int, list]]:
        """Annotation vectors for a text.

        Args:
            named: {place of a word: the class it names}.
            draw: what is drawn from.

        Returns:
            float32 (locations, channels), and {place of a word: its boxes}.
        """
        classes = self.detections.classes
        maps = np.zeros((self.grid[0] * self.grid[1], len(classes)), np.float32)
        boxes = {kind: self._place(maps, kind, draw.uniform(0.4, 1.0), draw) for kind in sorted(set(named.values()))}
        if draw.random() < FALSE:
            self._place(maps, classes[draw.integers(len(classes))], draw.uniform(0.05, 0.3), draw)
        annotations = np.zeros((len(maps), self.channels), np.float32)
        annotations[:, -len(classes) :] = STRENGTH * maps
        return annotations, {place: boxes[kind] for place, kind in named.items() if boxes[kind]}

    def _place(self, maps: np.ndarray, kind: str, score: float, draw: np.random.Generator) -> list:
        """Draw one or two things of a class into the maps; where they are."""
        if draw.random() < FORGOTTEN:
            return []
        known = self.detections.boxes_of[kind]
        count = 1 + (draw.random() < SECOND)
        boxes = [known[draw.integers(len(known))] if known else _box(draw) for _ in range(count)]
        column = self.detections.places[kind]
        for box in boxes:
            maps[:, column] = np.maximum(maps[:, column], score * bump(box, self.grid))
        return boxes


def _box(draw: np.random.Generator) -> list[float]:
    """Any box of a fifth to four fifths of each side."""
    width, height = draw.uniform(0.2, 0.8, 2)
    left, top = draw.uniform(0, 1 - width), draw.uniform(0, 1 - height)
    return [left, top, left + width, top + height]
