"""Pictures with captions: the one layout that training reads, and the readers that write it.

`DATA/captions.jsonl` holds one picture a line: {"image": path, "split": "train"|"dev"|"test", "captions": [...]}.
A relative path starts at DATA. `DATA/boxes.json.gz`, where there is one, names the true place of words:
{image file name: [{"text": caption, "phrases": [{"word": i, "type": kind, "boxes": [[left, top, right, bottom]]}]}]}
in shares of the picture, `word` counting the words of text.split() (Flickr30k Entities, Plummer et al. 2015).
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import pathlib
from collections.abc import Iterable

from captioner.errors import DatasetError

SPLITS = ("train", "dev", "test")


@dataclasses.dataclass(frozen=True)
class Example:
    """One picture, the split it belongs to, and its captions as they were written."""

    image: pathlib.Path
    split: str
    captions: tuple[str, ...]


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
    if not path.is_file():
        raise DatasetError(f"{path} does not exist; write it with python -m training.prepare SOURCE --out {folder}")
    examples = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            image, split, captions = pathlib.Path(row["image"]), row["split"], tuple(row["captions"])
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path} line {number}: expected image, split and captions as JSON ({error})") from None
        if split not in SPLITS or not captions:
            raise DatasetError(
                f"{path} line {number}: split is one of {', '.join(SPLITS)} and captions has one or more"
            )
        examples.append(Example(image if image.is_absolute() else path.parent / image, split, captions))
    return examples


def of_split(examples: Iterable[Example], split: str) -> list[Example]:
    """The examples of one split.

    Raises:
        DatasetError: there is none.
    """
    chosen = [example for example in examples if example.split == split]
    if not chosen:
        raise DatasetError(f"the data set has no pictures in its {split} split")
    return chosen


def read_flickr8k(images: pathlib.Path, token_file: pathlib.Path, split_folder: pathlib.Path) -> list[Example]:
    """Flickr8k in its published layout, with its official split (Hodosh et al. 2013).

    Args:
        images: folder of the photos.
        token_file: Flickr8k.token.txt, "name.jpg#0<TAB>caption" a line.
        split_folder: holds Flickr_8k.trainImages.txt, .devImages.txt and .testImages.txt.

    Raises:
        DatasetError: a file or a named photo is missing, or a line is wrong.
    """
    captions: dict[str, list[str]] = {}
    for number, line in enumerate(_lines(token_file), 1):
        key, tab, text = line.partition("\t")
        if not tab:
            raise DatasetError(
                f"{token_file} line {number}: expected name.jpg#0, a tab and a caption. Received: {line!r}"
            )
        captions.setdefault(key.rpartition("#")[0], []).append(text.strip())
    examples = []
    for split in SPLITS:
        for name in _lines(pathlib.Path(split_folder) / f"Flickr_8k.{split}Images.txt"):
            name = name.strip()
            if name not in captions:
                raise DatasetError(f"{name} of the {split} split has no caption in {token_file}")
            if not (pathlib.Path(images) / name).is_file():
                raise DatasetError(f"{name} of the {split} split is not in {images}")
            examples.append(Example(pathlib.Path(images) / name, split, tuple(captions[name])))
    return examples


def _lines(path: pathlib.Path) -> list[str]:
    try:
        return [line for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read {path}: {error}") from None


def write_boxes(boxes: dict[str, list[dict]], path: pathlib.Path) -> None:
    """Write boxes of words as gzipped JSON; the layout is this module's docstring's."""
    path.write_bytes(gzip.compress(json.dumps(boxes, separators=(",", ":")).encode(), mtime=0))


def read_boxes(path: str | pathlib.Path) -> dict[str, list[dict]]:
    """Read boxes of words, gzipped or plain JSON.

    Raises:
        DatasetError: the file is missing or not in the layout.
    """
    try:
        data = pathlib.Path(path).read_bytes()
        boxes = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"cannot read the boxes {path}: {error}") from None
    if not isinstance(boxes, dict):
        raise DatasetError(f"{path}: expected an object with one entry a picture. Received: {type(boxes).__name__}")
    return boxes
