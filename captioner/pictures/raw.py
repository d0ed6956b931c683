"""Raw photos of cameras, by the preview that the camera put into them. Knows no Keras."""

from __future__ import annotations

import io
import os
import struct
from typing import NamedTuple

import numpy as np

from captioner.errors import ImageError

RAW_SUFFIXES = frozenset([".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"])
_BEGINS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_KIND, _MAKER, _INNER, _DNG = 254, 271, 330, 50706  # tags of TIFF, which most of these files are
_TURNS = {3: 3, 5: 8, 6: 6}  # LibRaw's numbers for a turn as EXIF has them


class Preview(NamedTuple):
    """What a camera shows of a raw photo.

    Attributes:
        data: a JPEG file, or pixels uint8 (height, width, 3).
        orientation: the turn to apply, as EXIF numbers them, where the JPEG notes none.
    """

    data: bytes | np.ndarray
    orientation: int


def is_raw(data: bytes, name: str) -> bool:
    """Whether a file is a camera's raw photo; the suffix of its name counts where it is a TIFF."""
    if data.startswith(_BEGINS) or data[4:12] == b"ftypcrx ":
        return True
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return False
    if data[8:11] == b"CR\x02" or os.path.splitext(name)[1].lower() in RAW_SUFFIXES:
        return True
    tags = _first_tags(data)
    # A small picture first, and others within it: what cameras write, and nobody else.
    return _DNG in tags or (_INNER in tags and _MAKER in tags and tags.get(_KIND) == 1)


def _first_tags(data: bytes) -> dict[int, int]:
    """Tags of a TIFF's first directory, each with its value as a number."""
    order = "<" if data[:1] == b"I" else ">"
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        entries = (struct.unpack_from(f"{order}HHII", data, at + 2 + 12 * i) for i in range(min(count, 500)))
        return {tag: value for tag, _, _, value in entries}
    except struct.error:
        return {}


def raw_preview(data: bytes, name: str) -> Preview:
    """The largest preview in a raw photo; its own pixels are not developed.

    Args:
        data: the file.
        name: of the picture, for the error.

    Raises:
        ImageError: rawpy is not installed, or the file holds no preview.
    """
    try:
        import rawpy
    except ImportError:
        raise ImageError(f"{name}: is a camera's raw photo, which needs rawpy: pip install rawpy") from None
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            preview = raw.extract_thumb()
            return Preview(preview.data, _TURNS.get(raw.sizes.flip, 1))
    except MemoryError:
        raise ImageError(f"{name}: there is not enough memory to read it") from None
    except Exception as error:  # LibRaw's errors are of many types, and their texts are bytes
        reason = error.args[0] if error.args else type(error).__name__
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ImageError(f"{name}: holds no preview that can be read: {reason}; save it as JPEG") from None
