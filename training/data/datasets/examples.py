"""The layout that training reads: captions.jsonl."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterable
from typing import Literal, Self

import pydantic

from captioner.errors import DatasetError
from training.data.datasets.json_text import Row, check, parse_json

SPLITS = ("train", "dev", "test")


class Line(Row):
    """A line of captions.jsonl."""

    image: str = pydantic.Field(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")
    split: Literal["train", "dev", "test"]
    captions: list[str]

    @pydantic.model_validator(mode="after")
    def _captioned(self) -> Self:
        if not self.captions and self.split != "train":
            raise ValueError("a picture without captions can only teach class maps, in train")
        return self


LINE = pydantic.TypeAdapter(Line)


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
    """One picture, the split it belongs to, and its captions as they were written.

    One of train may have none: it teaches class maps, by its detections, and is in no batch of captions.

    It holds the name of its file and makes the path when asked: a path that was asked for its parts keeps them, which
    is half a kilobyte for every picture of a data set.
    """

    file: str
    split: str
    captions: tuple[str, ...]

    @property
    def image(self) -> pathlib.Path:
        """Where the picture lies."""
        return pathlib.Path(self.file)


def write_dataset(examples: Iterable[Example], folder: pathlib.Path) -> pathlib.Path:
    """Write `folder`/captions.jsonl; pictures inside the folder are named relative to it."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    path = folder / "captions.jsonl"
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as file:
        for example in examples:
            image = example.image.resolve()
            name = image.relative_to(root) if image.is_relative_to(root) else image
            row = {"image": name.as_posix(), "split": example.split, "captions": list(example.captions)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    partial.replace(path)
    return path


def read_dataset(folder: str | pathlib.Path) -> list[Example]:
    """Read what `write_dataset` wrote.

    Raises:
        DatasetError: no such file, or a line of it is wrong; the line is named.
    """
    path = pathlib.Path(folder) / "captions.jsonl"
    try:
        if not path.is_file():
            raise DatasetError(f"{path} does not exist; write it with python -m training.prepare SOURCE --out {folder}")
        with path.open(encoding="utf-8-sig") as file:
            return [_example(path, number, line) for number, line in enumerate(file, 1) if line.strip()]
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not UTF-8 ({error.reason}); save it as UTF-8") from None
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from None


def _example(path: pathlib.Path, number: int, line: str) -> Example:
    try:
        row = check(LINE, parse_json(line))
    except ValueError as error:
        raise DatasetError(
            f"{path} line {number}: expected image, split and captions as JSON; split is one of {', '.join(SPLITS)} "
            f"and captions is a list of texts, one or more outside of train ({error})"
        ) from None
    return Example(str(path.parent / row.image), row.split, tuple(row.captions))


def of_split(examples: Iterable[Example], split: str) -> list[Example]:
    """The examples of one split.

    Raises:
        DatasetError: there is none.
    """
    chosen = [example for example in examples if example.split == split]
    if not chosen:
        raise DatasetError(f"the data set has no pictures in its {split} split")
    return chosen
