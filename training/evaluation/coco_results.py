"""Captions in the formats of COCO's evaluation server: results, and the references they are held against."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Sequence

import pydantic

from captioner.errors import DatasetError
from training.data.datasets import Example
from training.data.datasets.json_text import Row, check, read_json

NUMBER = re.compile(r"(\d+)$")


class Result(Row):
    """A caption and the picture it belongs to, named by one of the two."""

    caption: str
    image: str | None = None
    image_id: int | str | None = None


RESULTS = pydantic.TypeAdapter(list[Result])


def image_ids(examples: Sequence[Example]) -> list[int]:
    """An id for each picture: the number its file name ends with, as COCO's do; the places from 1 where that fails."""
    numbers = [NUMBER.search(example.image.stem) for example in examples]
    ids = [int(number.group()) for number in numbers if number]
    return ids if len(set(ids)) == len(examples) else list(range(1, len(examples) + 1))


def write_coco(folder: pathlib.Path, examples: Sequence[Example], predictions: Sequence[str]) -> None:
    """Write coco_results.json, [{"image_id", "caption"}], and coco_references.json, the annotations they belong to."""
    ids = image_ids(examples)
    results = [{"image_id": i, "caption": text} for i, text in zip(ids, predictions, strict=True)]
    captions = [(i, text) for i, example in zip(ids, examples, strict=True) for text in example.captions]
    references = {
        "info": {},
        "licenses": [],
        "type": "captions",
        "images": [{"id": i, "file_name": example.image.name} for i, example in zip(ids, examples, strict=True)],
        "annotations": [{"id": n, "image_id": i, "caption": text} for n, (i, text) in enumerate(captions, 1)],
    }
    for name, value in (("coco_results.json", results), ("coco_references.json", references)):
        (folder / name).write_text(json.dumps(value, ensure_ascii=False) + "\n", encoding="utf-8")


def read_predictions(path: pathlib.Path, examples: Sequence[Example]) -> list[str]:
    """Captions of a results file in the order of the examples.

    Args:
        path: [{"image_id": number, "caption": text}] as COCO's server takes it, or [{"image": file name, "caption"}] as
            `training.evaluate` writes it.
        examples: pictures; each must have one caption.

    Raises:
        DatasetError: the file is in neither format, or its pictures are not these.
    """
    try:
        rows = check(RESULTS, read_json(path))
    except ValueError as error:
        raise DatasetError(
            f"{path}: expected a list of objects with image_id (or image) and caption; {error}"
        ) from None
    key = "image" if rows and rows[0].image is not None else "image_id"
    names = [example.image.name for example in examples] if key == "image" else image_ids(examples)
    captions: dict = {}
    for row in rows:
        name = getattr(row, key)
        if name in captions:
            raise DatasetError(f"{path}: {key} {name!r} has two captions; a results file has one a picture")
        captions[name] = row.caption
    missing = [name for name in names if name not in captions]
    strangers = set(captions) - set(names)
    if missing or strangers:
        which = f"no caption for {key} {missing[0]!r}" if missing else f"{key} {min(strangers, key=str)!r} is not in it"
        raise DatasetError(
            f"{path} does not fit this split: {which} ({len(missing)} missing, {len(strangers)} unknown)"
        )
    return [captions[name] for name in names]
