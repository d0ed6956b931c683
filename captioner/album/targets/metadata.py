"""Captions where photo programs look: in the metadata of the photo, or in an XMP file beside it."""

from __future__ import annotations

import contextlib
import pathlib
import re
from collections.abc import Iterator

from captioner.album import files
from captioner.album.answer import Answer
from captioner.album.exiftool import HOW_TO_GET, ExifTool, is_installed
from captioner.album.targets.base import Target
from captioner.errors import CaptionerError, ImageError
from captioner.pictures.raw import is_raw
from captioner.sidecar import text_of_packet, xmp_packet

XMP = ("XMP-iptcCore:AltTextAccessibility", "XMP-dc:Description")
# Suffix and first bytes of what is written into, and the further tags of each.
KINDS = {
    ".jpg": (re.compile(rb"\xff\xd8\xff"), ("IFD0:ImageDescription",)),
    ".png": (re.compile(rb"\x89PNG\r\n\x1a\n"), ("PNG:Description",)),
    ".webp": (re.compile(rb"RIFF....WEBP", re.DOTALL), ("IFD0:ImageDescription",)),
    ".tif": (re.compile(rb"II[*+]\0|MM\0[*+]"), ("IFD0:ImageDescription",)),
}
# What cameras write there by themselves is nobody's caption.
OF_CAMERAS = re.compile(r"\s*|OLYMPUS DIGITAL CAMERA|SONY DSC|DIGITAL CAMERA|Exif_JPEG_PICTURE|DCIM.*|.*DIGITAL CAMERA")


class Metadata(Target):
    """In JPEG, PNG, WebP and TIFF files: `AltTextAccessibility` and `dc:description` of XMP, `ImageDescription` of
    EXIF, `Description` of PNG. Pixels and all other fields stay as they are."""

    name = "metadata"
    changes_photo = True

    def __init__(self, folder, ledger):
        super().__init__(folder, ledger)
        self._exiftool = ExifTool(self.name)

    def path(self, photo: pathlib.Path) -> pathlib.Path:
        return photo

    def read(self, photo: pathlib.Path) -> str | None:
        data = photo.read_bytes()
        suffix, tags = _kind(data, photo)
        with _named(photo):
            found = self._exiftool.read(data, suffix, (*XMP, *tags))
        texts = (found.get(tag) for tag in (*XMP, *tags))
        return next((text for text in texts if text and not OF_CAMERAS.fullmatch(text)), None)

    def write(self, photo: pathlib.Path, text: str, answer: Answer) -> None:
        data = photo.read_bytes()
        suffix, tags = _kind(data, photo)
        with _named(photo):
            new = self._exiftool.write(data, suffix, dict.fromkeys((*XMP, *tags), text))
        self.ledger.replace(photo, new)

    def close(self) -> None:
        self._exiftool.close()


class Sidecar(Target):
    """name.xmp beside the photo. A new one is ours; one that is there keeps all else that it holds."""

    name = "xmp"

    def __init__(self, folder, ledger):
        super().__init__(folder, ledger)
        self._exiftool: ExifTool | None = None

    def path(self, photo: pathlib.Path) -> pathlib.Path:
        return photo.with_suffix(".xmp")

    def read(self, photo: pathlib.Path) -> str | None:
        path = self.path(photo)
        data = files.read_or_none(path)
        if data is None or (own := text_of_packet(data)) is not None:
            return None if data is None else own
        with _named(path):
            found = self._tool(path).read(data, ".xmp", XMP)
        return next((found[tag] for tag in XMP if found.get(tag, "").strip()), None)

    def write(self, photo: pathlib.Path, text: str, answer: Answer) -> None:
        path = self.path(photo)
        data = files.read_or_none(path)
        if data is None or text_of_packet(data) is not None:
            new = xmp_packet(text)
        else:
            with _named(path):
                new = self._tool(path).write(data, ".xmp", dict.fromkeys(XMP, text))
        self.ledger.replace(path, new)

    def close(self) -> None:
        if self._exiftool:
            self._exiftool.close()

    def _tool(self, path: pathlib.Path) -> ExifTool:
        if not is_installed():
            raise ImageError(f"a sidecar that others wrote needs exiftool; {HOW_TO_GET.format(target=self.name)}")
        self._exiftool = self._exiftool or ExifTool(self.name)
        return self._exiftool


@contextlib.contextmanager
def _named(path: pathlib.Path) -> Iterator[None]:
    """Puts the name of a file before what went wrong with it."""
    try:
        yield
    except CaptionerError as error:
        raise ImageError(f"{path}: {error}") from None


def _kind(data: bytes, photo: pathlib.Path) -> tuple[str, tuple[str, ...]]:
    is_tiff = not is_raw(data, photo.name)  # else a raw photo, which only looks like one
    for suffix, (begins, tags) in KINDS.items():
        if begins.match(data) and (is_tiff or suffix != ".tif"):
            return suffix, tags
    raise ImageError(f"{photo}: is no JPEG, PNG, WebP or TIFF, which alone take metadata; use xmp for this one")
