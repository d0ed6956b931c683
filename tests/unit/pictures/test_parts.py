"""Files cut into more parts than any picture needs: refused before a decoder starts on them."""

from __future__ import annotations

import struct
import time
import zlib

import pytest
from PIL import Image

from captioner import ImageError
from captioner.pictures import reading
from captioner.pictures.parts import MAX_CHUNKS, MAX_SCANS, SCAN
from captioner.pictures.reading import read_picture
from tests import pictures


def jpeg_of_scans(count: int, side: int = 64) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = pictures.encode(Image.new("RGB", (side, side), (90, 120, 30)), "JPEG", progressive=True)
    last = data[data.rindex(SCAN) : -2]
    return data[:-2] + last * (count - data.count(SCAN)) + b"\xff\xd9"


def png_of_chunks(count: int, kind: bytes = b"IDAT") -> bytes:
    """A PNG with empty chunks before its end."""
    data = pictures.encode(Image.new("RGB", (64, 64), (90, 120, 30)), "PNG")
    empty = struct.pack(">L", 0) + kind + struct.pack(">L", zlib.crc32(kind))
    return data[:-12] + empty * (count - 3) + data[-12:]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (jpeg_of_scans(MAX_SCANS + 1), f"more than {MAX_SCANS} scans"),
        (jpeg_of_scans(200_000), f"more than {MAX_SCANS} scans"),
        (png_of_chunks(MAX_CHUNKS + 1), "more than 100,000 chunks"),
        (png_of_chunks(1_500_000), "more than 100,000 chunks"),
        (png_of_chunks(1_500_000, b"teXt"), "more than 100,000 chunks"),
    ],
    ids=("scans", "many scans", "chunks", "many chunks", "chunks of text"),
)
def test_a_picture_of_too_many_parts_is_refused(data, words):
    start = time.thread_time()
    with pytest.raises(ImageError, match=words):
        read_picture(data)
    assert time.thread_time() - start < reading.MAX_SECONDS / 2


def test_pictures_of_many_parts_are_read():
    for data in (jpeg_of_scans(MAX_SCANS), png_of_chunks(1000)):
        assert read_picture(data).size == (64, 64)


def test_bytes_that_look_like_scans_are_none():
    """Such as thumbnails in EXIF, and photos that follow the first in one file."""
    data = pictures.encode(Image.new("RGB", (64, 64)), "JPEG")
    comment = SCAN * 20_000
    noted = data[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + data[2:]
    assert read_picture(noted).size == (64, 64)
    assert read_picture(data + data * (MAX_SCANS + 1)).size == (64, 64)


def test_all_passes_over_a_picture_share_their_time(monkeypatch):
    """Checking a PNG and decoding it had ten seconds each."""
    ends = []
    watched = reading._Watched
    monkeypatch.setattr(reading, "_Watched", lambda data, name, end: ends.append(end) or watched(data, name, end))
    read_picture(pictures.encode(Image.new("RGB", (64, 64)), "PNG"))
    assert len(ends) == 2 and len(set(ends)) == 1
