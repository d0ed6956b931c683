"""One file for all photos: captions.csv and captions.jsonl. Rows and columns that others added stay."""

from __future__ import annotations

import abc
import csv
import io
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from captioner.album import files
from captioner.album.answer import Answer
from captioner.album.targets.base import Target
from captioner.errors import ConfigError

COLUMNS = ("image", "caption", "score", "confidence", "sure")
LONGEST_FIELD = 16_000_000  # characters of a cell


class _Rows(Target):
    """Rows by photo, kept in memory until `flush`."""

    file: str
    is_shared = True

    def __init__(self, folder, ledger):
        super().__init__(folder, ledger)
        self.rows: dict[str, dict[str, Any]] = {}
        self._changed = False
        data = files.read_or_none(folder / self.file)
        for row in self._parsed(data.decode("utf-8-sig", "surrogateescape")) if data else ():
            self.rows[str(row["image"])] = row

    def path(self, photo: pathlib.Path) -> pathlib.Path:
        return self.folder / self.file

    def image(self, photo: pathlib.Path) -> str:
        """A photo's name in the file: from the output folder on where it lies in it, else its whole path."""
        inside = os.path.relpath(photo, self.folder)
        return inside if not inside.startswith(os.pardir) else os.path.abspath(photo)

    def read(self, photo: pathlib.Path) -> str | None:
        return (self.rows.get(self.image(photo)) or {}).get("caption") or None

    def holds(self, photo: pathlib.Path) -> bool:
        return self.read(photo) is not None

    def write(self, photo: pathlib.Path, text: str, answer: Answer) -> None:
        name = self.image(photo)
        values = (name, text, round(answer.score, 4), answer.confidence, answer.sure)
        self.rows[name] = {**self.rows.get(name, {}), **dict(zip(COLUMNS, values, strict=True))}
        self._changed = True

    def flush(self) -> None:
        if self._changed:
            self.ledger.replace(self.folder / self.file, self._text().encode("utf-8", "surrogateescape"))
            self._changed = False

    @abc.abstractmethod
    def _parsed(self, text: str) -> Iterator[dict[str, Any]]:
        """The rows of a file that was written before."""

    @abc.abstractmethod
    def _text(self) -> str:
        """The rows as a file."""


class Table(_Rows):
    """captions.csv in the output folder, with the columns `COLUMNS`."""

    name, file, is_sentence = "csv", "captions.csv", False

    def __init__(self, folder, ledger):
        self.columns = list(COLUMNS)
        super().__init__(folder, ledger)

    def _parsed(self, text):
        csv.field_size_limit(LONGEST_FIELD)
        try:
            reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            columns = reader.fieldnames or []
            if "image" not in columns or "caption" not in columns:
                raise ConfigError(
                    f"{self.folder / self.file} has no columns image and caption, so it is another table; "
                    "move it or choose another folder with --out"
                )
            self.columns = [*columns, *(name for name in COLUMNS if name not in columns)]
            yield from ({name: row.get(name) or "" for name in columns} for row in reader)
        except csv.Error as error:
            raise ConfigError(f"{self.folder / self.file} is no table: {error}; move it away") from None

    def _text(self):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows.values())
        return text.getvalue()


class Lines(_Rows):
    """captions.jsonl in the output folder: a JSON object a line, with the keys `COLUMNS`."""

    name, file, is_sentence = "jsonl", "captions.jsonl", False

    def _parsed(self, text):
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict) or not isinstance(row.get("image"), str):
                raise ConfigError(
                    f"{self.folder / self.file}, line {number}, is no object with an image; move the file or choose "
                    "another folder with --out"
                )
            yield row

    def _text(self):
        return "".join(json.dumps(row) + "\n" for row in self.rows.values())
