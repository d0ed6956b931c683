"""What readers share: a picture's record as a published file gives it, faults named by file and line, text files."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

from training.data.datasets.json_text import read_bytes

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("dev", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}


@dataclasses.dataclass
class Record:
    """One picture as a source names it, before anybody has looked at the picture.

    Attributes:
        image: its path.
        captions: as they are written.
        split: "train", "dev" or "test"; "" where the source names none.
        group: pictures of one group stay in one split; "" where it has none.
    """

    image: pathlib.Path
    captions: list[str]
    split: str = ""
    group: str = ""


@dataclasses.dataclass
class Reading:
    """What a reader found.

    Attributes:
        records: pictures in the order of the source.
        faults: (place, what is wrong) of entries that cannot be used; the place names file and line.
        outside: (name, where it lies) of pictures outside the folder of pictures.
        images: the folder of pictures; None where nobody said.
    """

    records: list[Record] = dataclasses.field(default_factory=list)
    faults: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    outside: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    images: pathlib.Path | None = None

    def fault(self, path: pathlib.Path, line: int, reason: str) -> None:
        """Note an entry that cannot be used."""
        self.faults.append((f"{path.name} line {line}", reason))


class Gathered:
    """Captions that come one at a time, put together by picture.

    Args:
        reading: where the records go.
        images: folder of the pictures.
    """

    def __init__(self, reading: Reading, images: pathlib.Path):
        self.reading, self.images = reading, images
        self.records: dict[str, Record] = {}

    def add(self, path: pathlib.Path, line: int, name: str, texts: list[str], split: str = "", group: str = "") -> None:
        """Captions of the picture `name`, from line `line` of `path`; a line that contradicts one before is a fault."""
        name = name.strip()
        if not name:
            self.reading.fault(path, line, "names no picture")
            return
        if split and split.strip().lower() not in SPLIT_NAMES:
            self.reading.fault(path, line, f"split is train, dev (or val) or test. Received: {split!r}")
            return
        split = SPLIT_NAMES.get(split.strip().lower(), "")
        if name not in self.records:
            self.records[name] = Record(self.images / name, [], split, group.strip())
            self.reading.records.append(self.records[name])
        record = self.records[name]
        if (record.split, record.group) != (split, group.strip()):
            self.reading.fault(path, line, f"{name} stands in another split or group before")
            return
        record.captions += texts


def text_lines(path: pathlib.Path, reading: Reading) -> Iterator[tuple[int, str]]:
    """(number, line) of a UTF-8 file, with or without byte order mark, whatever ends its lines; empty lines left out.

    A line that is not UTF-8 is a fault of `reading`, and so is one with a NUL.

    Raises:
        DatasetError: the file cannot be opened, or is UTF-16.
    """
    for number, data in enumerate(read_bytes(path).splitlines(), 1):
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as error:
            reading.fault(path, number, f"is not UTF-8: byte {error.start + 1} is 0x{data[error.start]:02x}")
            continue
        if "\0" in line:
            reading.fault(path, number, "holds a NUL character")
        elif line.strip():
            yield number, line
