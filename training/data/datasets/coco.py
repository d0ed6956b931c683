"""COCO captions of 2014 and 2017 (Lin et al. 2014, Chen et al. 2015) and the splits of Karpathy & Fei-Fei 2015."""

from __future__ import annotations

import pathlib
from typing import Any

import pydantic

from captioner.errors import DatasetError
from training.data.datasets.json_text import Row, check, read_json
from training.data.datasets.reading import SPLIT_NAMES, Reading, Record


class Image(Row):
    """An entry of "images"."""

    id: int | str
    file_name: str = pydantic.Field(min_length=1)


class Annotation(Row):
    """An entry of "annotations"."""

    image_id: int | str
    caption: str


class Sentence(Row):
    """A caption as Karpathy's files hold it."""

    raw: str


class Entry(Row):
    """An entry of "images" in Karpathy's files."""

    filename: str = pydantic.Field(min_length=1)
    split: str
    sentences: list[Sentence]
    filepath: str = ""


IMAGE, ANNOTATION, ENTRY = map(pydantic.TypeAdapter, (Image, Annotation, Entry))


def read_coco(images: pathlib.Path, annotations: pathlib.Path) -> Reading:
    """COCO's own files.

    The training file gives the training split. COCO keeps its test captions, so the pictures of the validation file
    are marked "held out", which `training.data.datasets.splitting` deals out to dev and test.

    Args:
        images: folder of the photos, in the folders train2014, val2014 (or train2017, val2017) or beside each other.
        annotations: one captions_*.json, whose split is then left open, or the folder of captions_train*.json and
            captions_val*.json.

    Raises:
        DatasetError: a file is missing or in another layout.
    """
    if annotations.is_file():
        return _read_file(images, annotations, "")
    found = {kind: sorted(annotations.glob(f"captions_{kind}20*.json")) for kind in ("train", "val")}
    if not all(found.values()):
        raise DatasetError(
            f"{annotations} has no captions_train2014.json with captions_val2014.json, nor those of 2017"
        )
    if any(len(paths) > 1 for paths in found.values()):
        raise DatasetError(f"{annotations} holds the captions of several years; the years share photos, so keep one")
    train, held_out = (
        _read_file(images, found[kind][0], split) for kind, split in (("train", "train"), ("val", "held out"))
    )
    return Reading(train.records + held_out.records, train.faults + held_out.faults)


def _read_file(images: pathlib.Path, path: pathlib.Path, split: str) -> Reading:
    data, reading = read_json(path), Reading()
    entries = _lists(data, path, "images", "annotations")
    folder = _folder(images, path)
    records: dict[Any, Record] = {}
    for place, entry in enumerate(entries["images"]):
        try:
            image = check(IMAGE, entry)
        except ValueError as error:
            reading.faults.append(
                (f"{path.name} images[{place}]", f"expected an object with id and file_name; {error}")
            )
        else:
            records[image.id] = Record(folder / image.file_name, [], split)
    for place, entry in enumerate(entries["annotations"]):
        where = f"{path.name} annotations[{place}]"
        try:
            annotation = check(ANNOTATION, entry)
        except ValueError as error:
            reading.faults.append((where, f"expected an object with image_id and caption; {error}"))
            continue
        if annotation.image_id not in records:
            reading.faults.append((where, f"no picture has the id {annotation.image_id!r}"))
        else:
            records[annotation.image_id].captions.append(annotation.caption.strip())
    reading.records = list(records.values())
    return reading


def read_karpathy(images: pathlib.Path, path: pathlib.Path) -> Reading:
    """dataset_flickr8k.json, dataset_flickr30k.json or dataset_coco.json; restval counts as train.

    Args:
        images: folder of the photos; those of COCO in folders as the file names them.
        path: the file.

    Raises:
        DatasetError: the file is missing or in another layout.
    """
    reading = Reading()
    for place, entry in enumerate(_lists(read_json(path), path, "images")["images"]):
        where = f"{path.name} images[{place}]"
        try:
            found = check(ENTRY, entry)
        except ValueError as error:
            reading.faults.append((where, f"expected filename, split and sentences with raw; {error}"))
            continue
        if found.split not in SPLIT_NAMES:
            reading.faults.append((where, f"split is one of {', '.join(SPLIT_NAMES)}. Received: {found.split!r}"))
            continue
        texts = [sentence.raw.strip() for sentence in found.sentences]
        reading.records.append(Record(images / found.filepath / found.filename, texts, SPLIT_NAMES[found.split]))
    return reading


def _lists(data: Any, path: pathlib.Path, *names: str) -> dict[str, list]:
    if not isinstance(data, dict) or not all(isinstance(data.get(name), list) for name in names):
        raise DatasetError(f"{path}: expected an object with the list{'s' * (len(names) > 1)} {' and '.join(names)}")
    return {name: data[name] for name in names}


def _folder(images: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """captions_val2014.json belongs to the folder val2014, where there is one."""
    inner = images / path.stem.removeprefix("captions_")
    return inner if inner.is_dir() else images
