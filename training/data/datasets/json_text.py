"""JSON from strangers: bounded in bytes, depth and digits, gzip included, and checked by type before it is used."""

from __future__ import annotations

import gzip
import io
import pathlib
import stat
import zlib
from typing import Any

import pydantic
import pydantic_core

from captioner.errors import DatasetError

MOST_JSON = 200_000_000  # bytes of one document, unpacked: Karpathy's of COCO has 144 million; objects take 20 times it
MOST_TEXT = 1_000_000_000  # bytes of a file that is read line by line
CHUNK = 1 << 20


class Row(pydantic.BaseModel):
    """Base of what is expected in a file: types are not changed into each other, other keys are left aside."""

    model_config = pydantic.ConfigDict(strict=True, allow_inf_nan=False)


def parse_json(text: str | bytes) -> Any:
    """One JSON document. No number in it has over 4,300 digits, nothing lies over 200 levels deep, all text is Unicode.

    Raises:
        ValueError: it is none, or oversteps that; the reason, with line and column.
    """
    return pydantic_core.from_json(text, allow_inf_nan=False)


def check(kind: pydantic.TypeAdapter, value: Any) -> Any:
    """What came, as the type that was expected.

    Raises:
        ValueError: it is another; the first place that is wrong.
    """
    try:
        return kind.validate_python(value)
    except pydantic.ValidationError as error:
        problem = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(map(str, problem["loc"]))
        shown = repr(problem["input"])[:80] if not isinstance(problem["input"], dict | list) else "other JSON"
        raise ValueError(f"{place}{': ' * bool(place)}{problem['msg']}. Received: {shown}") from None


def read_json(path: pathlib.Path) -> Any:
    """A JSON file, gzipped or plain.

    Raises:
        DatasetError: it cannot be opened, is too long, or is no JSON that `parse_json` takes.
    """
    data = read_bytes(path, MOST_JSON)
    if data[:2] == b"\x1f\x8b":
        data = unpacked(path, data, MOST_JSON)
    try:
        return parse_json(data)
    except ValueError as error:
        raise DatasetError(f"{path} is not JSON that can be read: {error}") from None


def unpacked(path: pathlib.Path, data: bytes, most: int) -> bytes:
    """What a gzip file holds, no more than `most` bytes of it in memory.

    Raises:
        DatasetError: it holds more, or is no whole gzip file.
    """
    found = bytearray()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while chunk := file.read(CHUNK):
                found += chunk
                if len(found) > most:
                    raise DatasetError(f"{path} unpacks to more than {most:,} bytes, the most that is read")
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} is no whole gzip file: {error}") from None
    return bytes(found.removeprefix(b"\xef\xbb\xbf"))


def read_bytes(path: pathlib.Path, most: int = MOST_TEXT) -> bytes:
    """A file without its UTF-8 byte order mark.

    Raises:
        DatasetError: it cannot be opened, is no regular file, is longer than `most` bytes, or is UTF-16.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DatasetError(f"cannot read {path}: it is no file")
        if status.st_size > most:
            raise DatasetError(f"{path} has {status.st_size:,} bytes, and {most:,} is the most that is read")
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # a NUL in the name
        raise DatasetError(f"cannot read {path}: {error}") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DatasetError(f"{path} is UTF-16; save it as UTF-8")
    return data.removeprefix(b"\xef\xbb\xbf")
