"""True places of words (Flickr30k Entities, Plummer et al. 2015).

{image file name: [{"text": caption, "phrases": [{"word": i, "type": kind, "boxes": [[left, top, right, bottom]]}]}]}
in shares of the picture, `word` counting the words of text.split().
"""

from __future__ import annotations

import gzip
import json
import pathlib
from typing import Annotated

import pydantic

from captioner.errors import DatasetError
from training.data.datasets.json_text import Row, check, read_json

SLACK = 0.01  # by which a box may reach out of its picture
Share = Annotated[float, pydantic.Field(ge=-SLACK, le=1 + SLACK)]


class Phrase(Row):
    """A word and its boxes."""

    word: int = pydantic.Field(ge=0)
    boxes: list[Annotated[list[Share], pydantic.Field(min_length=4, max_length=4)]] = pydantic.Field(min_length=1)


class Caption(Row):
    """A caption and those of its words that have boxes."""

    text: str
    phrases: list[Phrase]


BOXES = pydantic.TypeAdapter(dict[str, list[Caption]])


def write_boxes(boxes: dict[str, list[dict]], path: pathlib.Path) -> None:
    """Write boxes of words as gzipped JSON; the layout is this module's docstring's."""
    path.write_bytes(gzip.compress(json.dumps(boxes, separators=(",", ":")).encode(), mtime=0))


def read_boxes(path: str | pathlib.Path) -> dict[str, list[dict]]:
    """Read boxes of words, gzipped or plain JSON.

    Raises:
        DatasetError: the file is missing or not in the layout; the place is named.
    """
    boxes = read_json(pathlib.Path(path))
    try:
        check(BOXES, boxes)
    except ValueError as error:
        raise DatasetError(f"{path}: expected an object with one entry a picture; {error}") from None
    return boxes
