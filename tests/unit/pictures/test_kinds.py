"""Photos of phones are read like any other, under the same limits."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from captioner import ImageError
from captioner.pictures import reading
from captioner.pictures.kinds import is_heif
from captioner.pictures.reading import read_picture
from tests import pictures


def heic(image: Image.Image, **options) -> bytes:
    heif = pytest.importorskip("pillow_heif")
    heif.from_pillow(image).save(file := io.BytesIO(), quality=95, **options)
    return file.getvalue()


def refused(data: bytes) -> str:
    with pytest.raises(ImageError) as error:
        read_picture(data)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_photo_of_a_phone_has_its_colours_and_leaves_the_readers_of_the_process_alone():
    base = pictures.base().convert("RGB")
    picture = read_picture(heic(base))
    assert picture.size == base.size and picture.image.mode == "RGB"
    assert np.abs(np.asarray(picture.image, float) - np.asarray(base, float)).mean() < 8
    assert "HEIF" not in Image.OPEN


def test_a_turned_photo_is_upright_once():
    exif = Image.Exif()
    exif[reading.ORIENTATION] = 6
    base = pictures.base().convert("RGB")
    picture = read_picture(heic(base, exif=exif.tobytes()))
    wanted = base.transpose(Image.Transpose.ROTATE_270)
    assert picture.size == picture.image.size == wanted.size
    assert np.abs(np.asarray(picture.image, float) - np.asarray(wanted, float)).mean() < 8


def test_damage_and_size_are_refused_in_one_line(monkeypatch):
    data = heic(pictures.base().convert("RGB"))
    assert "cannot be read as a picture" in refused(data[: len(data) // 2])
    assert "cannot be read as a picture" in refused(data[:40])
    monkeypatch.setitem(reading.COSTLY, "HEIF", 10)
    assert "pixels of HEIF are more than 10" in refused(data)


def test_without_pillow_heif_a_line_says_how_to_get_it(monkeypatch):
    data = heic(pictures.base().convert("RGB"))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "needs pillow-heif: pip install pillow-heif" in refused(data)


@pytest.mark.parametrize(
    ("start", "answer"),
    [
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", True),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", False),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1heic", False),
        (b"\0\0\0\x18ftyp", False),
        (b"", False),
    ],
)
def test_brands_tell_heif_from_avif(start, answer):
    assert is_heif(start) is answer
