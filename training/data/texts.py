"""Captions without photos: a text file, plain or gzipped, one caption a line."""

from __future__ import annotations

import gzip
import pathlib

from captioner.errors import DatasetError

MOST_BYTES = 1_000_000_000  # of the text, uncompressed


def read_texts(path: str | pathlib.Path) -> list[str]:
    """The lines of a file that hold something.

    Raises:
        DatasetError: the file is missing, not UTF-8, or longer than a gigabyte.
    """
    try:
        with pathlib.Path(path).open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        with (gzip.open if zipped else open)(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DatasetError(f"cannot read the texts {path}: {error}; one caption a line, UTF-8") from None
    if len(data) > MOST_BYTES:
        raise DatasetError(f"{path} holds more than {MOST_BYTES:,} bytes of text; split it")
    return [line.strip() for line in text.splitlines() if line.strip()]
