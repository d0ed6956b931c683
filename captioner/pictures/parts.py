"""How many parts a file is cut into: each costs its decoder time, however few bytes it holds. Knows no Keras.

A scan of eight bytes makes a progressive JPEG's decoder walk over all its pixels once more.
"""

from __future__ import annotations

import re
import struct

from captioner.errors import ImageError

MAX_SCANS = 200  # of a JPEG; encoders write a dozen
MAX_CHUNKS = 100_000  # of a PNG; encoders write one for every 8 kB or more
SCAN = b"\xff\xda"
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd8\x01])", re.DOTALL)  # of JPEG, those with a length


def check_parts(data: bytes, format: str, name: str) -> None:
    """Refuse a file of more parts than any picture needs.

    Args:
        data: the file.
        format: what it is.
        name: of the picture, for the error.

    Raises:
        ImageError: it has more.
    """
    if format == "JPEG" and data.count(SCAN) > MAX_SCANS and _scans(data) > MAX_SCANS:
        raise ImageError(f"{name}: cannot be read as a picture: more than {MAX_SCANS} scans")
    if format == "PNG" and _chunks(data) > MAX_CHUNKS:
        raise ImageError(f"{name}: cannot be read as a picture: more than {MAX_CHUNKS:,} chunks")


def _scans(data: bytes) -> int:
    """Scans of the first picture of a JPEG file; bytes that look like one elsewhere, such as in EXIF, are passed by."""
    count, at = 0, 2
    while count <= MAX_SCANS and (marker := MARKER.search(data, at)):
        at = marker.end()
        if marker[1] == b"\xd9" or at + 2 > len(data):
            break
        count += marker[1] == SCAN[1:]
        at += struct.unpack_from(">H", data, at)[0]
    return count


def _chunks(data: bytes) -> int:
    count, at = 0, 8
    while count <= MAX_CHUNKS and at + 8 <= len(data):
        at += 12 + struct.unpack_from(">L", data, at)[0]
        count += 1
    return count
