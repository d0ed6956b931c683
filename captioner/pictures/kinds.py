"""What Pillow alone does not read: photos of phones by pillow-heif, and documents that are refused by their name."""

from __future__ import annotations

import struct

from PIL import ImageFile

from captioner.errors import ImageError

HEIC_BRANDS = frozenset([b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"])
SHARED_BRANDS = frozenset([b"mif1", b"msf1"])  # AVIF has them too; the brands that follow tell
LOOKED_AT = 1_000  # bytes of a text in which its kind is looked for


def is_heif(data: bytes) -> bool:
    """Whether a file says of itself that it is HEIC or HEIF coded by HEVC (ISO/IEC 23008-12, annex B)."""
    if data[4:8] != b"ftyp":
        return False
    if data[8:12] in HEIC_BRANDS:
        return True
    end = min(struct.unpack_from(">I", data)[0], LOOKED_AT)
    return data[8:12] in SHARED_BRANDS and any(data[at : at + 4] in HEIC_BRANDS for at in range(16, end, 4))


def heif_reader(name: str) -> type[ImageFile.ImageFile]:
    """pillow-heif's reader, without entering it among Pillow's for the whole process.

    Args:
        name: of the picture, for the error.

    Raises:
        ImageError: pillow-heif is not installed.
    """
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise ImageError(f"{name}: is HEIC or HEIF, which needs pillow-heif: pip install pillow-heif") from None
    return HeifImageFile


def refuse_documents(data: bytes, name: str) -> None:
    """Say of a PDF or SVG what it is.

    Raises:
        ImageError: it is one.
    """
    start = data[:LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"%PDF-"):
        raise ImageError(f"{name}: is a PDF, a document and no photo; save the picture in it as JPEG or PNG")
    if start.startswith(b"<") and b"<svg" in start:
        raise ImageError(f"{name}: is an SVG, a drawing and no photo; save it as PNG")
