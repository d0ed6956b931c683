"""Raw photos of cameras: their preview is read, turned as the camera noted, and nothing else is taken for one."""

from __future__ import annotations

import contextlib
import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

from captioner.album.finding import find_photos
from captioner.album.targets.metadata import _kind
from captioner.errors import ImageError
from captioner.pictures.raw import is_raw
from captioner.pictures.reading import open_image, read_picture

pytest.importorskip("rawpy")
SIDE = 64  # of the sensor; LibRaw takes nothing below 22


def preview(format="JPEG", **options) -> bytes:
    """Red above, blue below."""
    picture = Image.new("RGB", (48, 32), (220, 20, 20))
    picture.paste((20, 20, 220), (0, 16, 48, 32))
    picture.save(data := io.BytesIO(), format, **options)
    return data.getvalue()


def directory(at: int, entries: dict[int, tuple[str, list[int] | bytes]]) -> bytes:
    """A directory of TIFF at a place of the file, with what does not fit into it behind."""
    body, behind, place = b"", b"", at + 6 + 12 * len(entries)
    for tag, (kind, values) in sorted(entries.items()):
        data = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{kind}", *values)
        number = {"B": 1, "s": 2, "H": 3, "I": 4}[kind]
        here = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", place + len(behind))
        body += struct.pack("<HHI", tag, number, len(values)) + here
        behind += b"" if len(data) <= 4 else data + bytes(len(data) % 2)
    return struct.pack("<H", len(entries)) + body + bytes(4) + behind


def dng(orientation: int = 1, jpeg: bytes | None = None) -> bytes:
    """A DNG of a camera: a preview, and a mosaic of pixels that nobody looks at."""
    jpeg = preview() if jpeg is None else jpeg
    pixels_at = 8 + len(jpeg) + len(jpeg) % 2
    inner_at = pixels_at + 2 * SIDE * SIDE
    size = {256: ("I", [SIDE]), 257: ("I", [SIDE]), 278: ("I", [SIDE])}
    strip = {273: ("I", [pixels_at]), 279: ("I", [2 * SIDE * SIDE])}
    kind = {258: ("H", [16]), 259: ("H", [1]), 262: ("H", [32803]), 277: ("H", [1])}
    inner = directory(
        inner_at, {254: ("I", [0]), **size, **strip, **kind, 33421: ("H", [2, 2]), 33422: ("B", [0, 1, 1, 2])}
    )
    first = {
        254: ("I", [1]), 256: ("I", [48]), 257: ("I", [32]), 258: ("H", [8, 8, 8]), 259: ("H", [7]), 262: ("H", [6]),
        271: ("s", b"Maker\0"), 272: ("s", b"Model\0"), 273: ("I", [8]), 274: ("H", [orientation]), 277: ("H", [3]),
        278: ("I", [32]), 279: ("I", [len(jpeg)]), 330: ("I", [inner_at]), 50706: ("B", [1, 4, 0, 0]),
        50708: ("s", b"Model\0"),
    }  # fmt: skip
    at = inner_at + len(inner)
    body = jpeg + bytes(len(jpeg) % 2 + 2 * SIDE * SIDE) + inner + directory(at, first)
    return b"II*\0" + struct.pack("<I", at) + body


@pytest.mark.parametrize(("orientation", "size", "red"), [(1, (48, 32), (24, 4)), (3, (48, 32), (24, 28)),
                                                          (6, (32, 48), (28, 24)), (8, (32, 48), (4, 24))])  # fmt: skip
def test_a_preview_is_read_and_turned_as_the_camera_noted(orientation, size, red):
    picture = read_picture(dng(orientation))
    assert picture.size == picture.image.size == size
    assert (
        picture.image.getpixel(red)[0] > 150 > picture.image.getpixel((size[0] - 1 - red[0], size[1] - 1 - red[1]))[0]
    )


def test_the_turn_of_a_preview_itself_counts():
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg = preview(exif=exif)
    jpeg = jpeg[:2] + jpeg[20:]  # cameras begin with EXIF, and Pillow with JFIF
    assert open_image(dng(1, jpeg)).size == (32, 48)


def test_what_is_raw_and_what_is_not(tmp_path):
    assert is_raw(dng(), "") and is_raw(b"FUJIFILMCCD-RAW 0201", "") and is_raw(b"\0\0\0\x18ftypcrx ", "")
    tiff = preview("TIFF")
    assert is_raw(tiff, "photo.NEF") and not is_raw(tiff, "photo.tif") and not is_raw(preview(), "photo.nef")
    assert not is_raw(b"II*\0\xff\xff\xff\xff", "") and not is_raw(b"II*\0", "")
    assert np.asarray(open_image(tiff)).shape == (32, 48, 3)
    with pytest.raises(ImageError, match="use xmp for this one"):
        _kind(dng(), tmp_path / "photo.dng")


def test_without_a_preview_or_rawpy_a_line_says_so(monkeypatch, tmp_path):
    (tmp_path / "photo.nef").write_bytes(preview("TIFF"))
    with pytest.raises(ImageError, match=r"photo\.nef: holds no preview that can be read: .*; save it as JPEG"):
        read_picture(tmp_path / "photo.nef")
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(ImageError, match="needs rawpy: pip install rawpy"):
        read_picture(dng())


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so
def test_damaged_ones_are_refused_in_one_line():
    whole, rng = dng(), np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole[: rng.integers(8, len(whole))] if rng.random() < 0.3 else whole)
        for at in rng.integers(0, len(data), 20):
            data[at] = rng.integers(256)
        with contextlib.suppress(ImageError):
            assert read_picture(bytes(data)).image.mode == "RGB"


def test_a_folder_gives_a_photo_once(tmp_path):
    for name in ("a.nef", "a.JPG", "b.dng", "c.jpg"):
        (tmp_path / name).write_bytes(b"x")
    found = find_photos([tmp_path])
    assert [path.name for path in found.photos] == ["a.JPG", "b.dng", "c.jpg"]
    assert found.skipped == {"raw beside a picture": 1}
