"""Tables of one's own: CSV, TSV and JSON lines, and folders with a text file beside each picture."""

from __future__ import annotations

import csv
import io
import pathlib

from captioner.errors import DatasetError
from training.data.datasets.json_text import parse_json, read_bytes
from training.data.datasets.reading import PICTURES, SPLIT_NAMES, Gathered, Reading, Record, text_lines

IMAGE_COLUMNS = ("image", "filename", "file_name", "image_name", "file", "path", "picture", "photo")
CAPTION_COLUMNS = ("caption", "captions", "text", "comment", "sentence", "description")


def read_table(path: pathlib.Path, images: pathlib.Path | None = None, delimiter: str = ",") -> Reading:
    """A CSV or TSV file with a row of column names.

    The columns are one of image, filename, file_name, image_name, file, path; one or more that begin with caption, or
    text, comment, sentence, description; and, if you like, split and group. A picture may have several rows.
    Pictures of one group stay in one split.

    Args:
        path: UTF-8; fields in quotes may hold the delimiter, quotes doubled, and line ends.
        images: folder of the pictures; None is the file's own.
        delimiter: between fields.

    Raises:
        DatasetError: the file cannot be read or lacks a column.
    """
    reading = Reading()
    text = "\n".join(line for _, line in _numbered(path, reading))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        head = [name.strip().lower() for name in next(rows, [])]
        columns = _columns(path, head)
        gathered = Gathered(reading, images or path.parent)
        before = rows.line_num
        for row in rows:
            number, before = before + 1, rows.line_num
            if not any(field.strip() for field in row):
                continue
            if len(row) != len(head):
                reading.fault(path, number, f"expected {len(head)} fields. Received: {len(row)}")
                continue
            texts = [row[i].strip() for i in columns["captions"]]
            texts = [text for text in texts if text] or texts[:1]  # a picture may use fewer columns than another
            extra = {name: row[columns[name]] for name in ("split", "group") if columns[name] is not None}
            gathered.add(path, number, row[columns["image"]], texts, **extra)
    except csv.Error as error:
        raise DatasetError(f"{path} line {rows.line_num}: {error}; put fields that hold quotes into quotes") from None
    return reading


def _numbered(path: pathlib.Path, reading: Reading):
    """All lines of a file: one that cannot be used is a fault and stays as an empty line, so that the numbers hold."""
    good = dict(text_lines(path, reading))
    return [(number, good.get(number, "")) for number in range(1, max(good, default=0) + 1)]


def _columns(path: pathlib.Path, head: list[str]) -> dict:
    image = next((head.index(name) for name in IMAGE_COLUMNS if name in head), None)
    captions = [i for i, name in enumerate(head) if name in CAPTION_COLUMNS or name.startswith("caption")]
    if image is None or not captions:
        raise DatasetError(
            f"{path} line 1: expected the names of the columns, such as image and caption. Received: {', '.join(head)}"
            f". A picture's is one of {', '.join(IMAGE_COLUMNS)}; a caption's one of {', '.join(CAPTION_COLUMNS)}"
        )
    place = lambda name: head.index(name) if name in head else None
    return {"image": image, "captions": captions, "split": place("split"), "group": place("group")}


def read_json_lines(path: pathlib.Path, images: pathlib.Path | None = None) -> Reading:
    """JSON lines: {"image": path, "captions": [...] or "caption": text} and, if you like, "split" and "group".

    Other names of the keys are those of a table's columns, in upper or lower case.

    Args:
        path: UTF-8.
        images: folder of the pictures; None is the file's own.

    Raises:
        DatasetError: the file cannot be read.
    """
    reading = Reading()
    gathered = Gathered(reading, images or path.parent)
    for number, line in text_lines(path, reading):
        try:
            row = parse_json(line)
        except ValueError as error:
            reading.fault(path, number, f"is not JSON that can be read: {error}")
            continue
        row = {key.strip().lower(): value for key, value in row.items()} if isinstance(row, dict) else {}
        name = next((row[key] for key in IMAGE_COLUMNS if isinstance(row.get(key), str)), None)
        texts = next((row[key] for key in CAPTION_COLUMNS if key in row), None)
        texts = [texts] if isinstance(texts, str) else texts
        if name is None or not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            reading.fault(path, number, f"expected image and captions. Received: {line[:80]}")
            continue
        extra = {key: str(row[key]) for key in ("split", "group") if isinstance(row.get(key), str | int)}
        gathered.add(path, number, name, [text.strip() for text in texts], **extra)
    return reading


def read_folder(folder: pathlib.Path) -> Reading:
    """Pictures with a text file of the same name beside each, one caption a line.

    Folders named train, dev (or val) and test, where there are some, give the split.

    Raises:
        DatasetError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder} is no folder of pictures")
    reading, texts = Reading(), set()
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES and p.is_file()):
        beside = path.with_suffix(".txt")
        captions = []
        if beside.is_file():
            texts.add(beside)
            captions = [line.strip() for _, line in text_lines(beside, reading)] or [""] * (
                not read_bytes(beside).strip()
            )
        inner = path.relative_to(folder).parts
        split = SPLIT_NAMES.get(inner[0].lower(), "") if len(inner) > 1 else ""
        reading.records.append(Record(path, captions, split))
    if not reading.records:
        raise DatasetError(f"{folder} holds no pictures; expected files such as name.jpg with name.txt beside them")
    for path in sorted(set(folder.rglob("*.txt")) - texts):
        reading.faults.append((path.relative_to(folder).as_posix(), "has no picture of its name beside it"))
    return reading
