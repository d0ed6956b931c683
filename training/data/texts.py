"""Captions without photos: a text file, plain or gzipped, one caption a line."""

from __future__ import annotations

import pathlib

from captioner.errors import DatasetError
from training.data.datasets.json_text import MOST_TEXT, read_bytes, unpacked


def read_texts(path: str | pathlib.Path) -> list[str]:
    """The lines of a file that hold something.

    Raises:
        DatasetError: the file is missing, not UTF-8, or longer than a gigabyte.
    """
    path = pathlib.Path(path)
    try:
        data = read_bytes(path)
        text = (unpacked(path, data, MOST_TEXT) if data[:2] == b"\x1f\x8b" else data).decode()
    except (DatasetError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read the texts {path}: {error}; one caption a line, UTF-8") from None
    return [line.strip() for line in text.splitlines() if line.strip()]
