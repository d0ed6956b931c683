"""What the tags of a TIFF or of EXIF claim to hold, counted before anything is allocated for them. Knows no Keras.

A tag names a place in the file and a length. Nothing keeps thousands of tags from naming the same megabyte, and a
reader that copies what each of them names needs gigabytes for a file of one. Layout: TIFF 6.0, BigTIFF.
"""

from __future__ import annotations

import re
import struct

from captioner.errors import ImageError

MAX_NUMBERS = 1_000_000  # of one tag: strips of a picture, entries of a palette
MAX_SEGMENTS = 10_000
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
OPAQUE = (1, 2, 6, 7)  # types of one byte, which are kept as they are
MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)  # of JPEG
HEADER = re.compile(rb"II[*+]\x00|MM\x00[*+]")
MAX_HEADERS = 64
FOLDERS = (34665, 34853, 40965)  # tags that name further folders of tags: EXIF, GPS, interoperability


def check_tags(data: bytes | memoryview, name: str) -> None:
    """Refuse tags that claim more than the bytes they lie in can hold.

    Args:
        data: a TIFF file, or EXIF from its byte order on; anything else passes, it is not read as tags.
        name: of the picture, for the error.

    Raises:
        ImageError: the tags name the same bytes again and again, or one holds more numbers than any picture needs.
    """
    if data[:2] not in (b"II", b"MM"):
        return
    folders = _Folders(data)
    if folders.claimed > 2 * len(data) or folders.numbers > MAX_NUMBERS:
        raise ImageError(
            f"{name}: cannot be read as a picture: its tags claim {folders.claimed:,} bytes in a file of {len(data):,}"
            if folders.claimed > 2 * len(data)
            else f"{name}: cannot be read as a picture: one of its tags claims {folders.numbers:,} numbers"
        )


def check_all_tags(data: bytes, name: str) -> None:
    """`check_tags` wherever a byte order stands: Pillow reads the EXIF of an AVIF before anyone can ask it not to.

    Raises:
        ImageError: as `check_tags`, or there are more of them than any picture needs.
    """
    view = memoryview(data)
    for count, header in enumerate(HEADER.finditer(data)):
        if count == MAX_HEADERS:
            raise ImageError(f"{name}: cannot be read as a picture: more than {MAX_HEADERS} parts of it look like EXIF")
        check_tags(view[header.start() :], name)


class _Folders:
    """The folders of tags of a file, walked as Pillow walks them.

    Attributes:
        claimed: bytes that the tags name together.
        numbers: the most numbers that one tag holds.
    """

    def __init__(self, data: bytes | memoryview):
        self.data, self.claimed, self.numbers = data, 0, 0
        order = "<" if data[:2] == b"II" else ">"
        self.big = data[2:4] in (b"\x2b\0", b"\0\x2b")
        self.count, self.entry, self.place = (
            (f"{order}Q", f"{order}HHQ8s", f"{order}Q") if self.big else (f"{order}H", f"{order}HHL4s", f"{order}L")
        )
        waiting, seen = [self._number(self.place, 8 if self.big else 4)], set()
        while waiting:
            offset = waiting.pop()
            if offset is not None and offset not in seen:
                seen.add(offset)
                waiting += self._walk(offset)

    def _number(self, form: str, offset: int) -> int | None:
        return (
            struct.unpack_from(form, self.data, offset)[0] if offset + struct.calcsize(form) <= len(self.data) else None
        )

    def _walk(self, offset: int) -> list[int | None]:
        """Count one folder; returns the places of those that it names."""
        named: list[int | None] = []
        inline, step = struct.calcsize(self.place), struct.calcsize(self.entry)
        first = offset + struct.calcsize(self.count)
        for i in range(self._number(self.count, offset) or 0):
            at = first + i * step
            if at + step > len(self.data):
                break
            tag, kind, count, value = struct.unpack_from(self.entry, self.data, at)
            size = count * SIZES.get(kind, 0)
            if size > inline:
                place = struct.unpack(self.place, value)[0]
                if place + size > len(self.data):
                    break  # Pillow reads no further either
                self.claimed += size
            if kind not in OPAQUE and size:
                self.numbers = max(self.numbers, count)
            if tag in FOLDERS:
                named.append(struct.unpack(self.place, value)[0])
        return named


def exif_of_jpeg(data: bytes, name: str) -> bytes:
    """EXIF of a JPEG file from its byte order on, its segments joined as Pillow joins them; empty where it has none.

    Raises:
        ImageError: the file has more segments before its pixels than any picture needs.
    """
    parts, at = [], 2
    for _ in range(MAX_SEGMENTS):
        marker = MARKER.search(data, at)
        if marker is None or marker[1] == b"\xda" or marker.end() + 2 > len(data):
            return b"".join(parts)
        at = marker.end()
        if marker[1] == b"\x01" or b"\xd0" <= marker[1] <= b"\xd8":  # markers without a length
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker[1] == b"\xe1" and data.startswith(b"Exif\0\0", at + 2):
            parts.append(data[at + 8 : at + length])
        at += length
    raise ImageError(f"{name}: cannot be read as a picture: more than {MAX_SEGMENTS:,} segments lie before its pixels")
