"""Pictures come in upright and RGB, whatever they came as; what is no picture is refused in one line."""

from __future__ import annotations

import io
import os
import socket
import threading

import numpy as np
import pytest
from PIL import Image

from captioner import ImageError
from captioner.pictures import reading
from captioner.pictures.reading import open_image, read_picture
from tests import pictures
from tests.pictures import encode

GRAY = ("1", "L", "LA", "I", "F", "I16", "I16B")
LONG = ("I", "F", "I16", "I16B")  # Pillow writes them into some formats clipped to 8 bits
MODES = [
    odd
    for odd in pictures.every_mode_and_format()
    if odd.name.endswith(("png", "tiff")) or odd.name[5:].split(".")[0] not in LONG
]


def pixels(source) -> np.ndarray:
    return np.asarray(open_image(source), np.float32)


def refused(source) -> str:
    with pytest.raises(ImageError) as error:
        open_image(source)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_all_ways_in_give_the_same_pixels(photo):
    wanted = pixels(photo)
    for source in (
        str(photo),
        photo.read_bytes(),
        bytearray(photo.read_bytes()),
        Image.open(photo),
        wanted.astype(np.uint8),
    ):
        assert np.array_equal(pixels(source), wanted)


@pytest.mark.parametrize("odd", MODES, ids=[odd.name for odd in MODES])
def test_every_mode_and_format_gives_the_right_colours(odd):
    mode = odd.name.removeprefix("mode-").split(".")[0]
    wanted = np.asarray(pictures.base().convert("L" if mode in GRAY else "RGB").convert("RGB"), np.float32)
    difference = np.abs(pixels(odd.data) - wanted)
    if mode in ("1", "P", "PA") or odd.name.endswith("gif"):  # dithered: right on the whole
        assert np.abs(pixels(odd.data).mean((0, 1)) - wanted.mean((0, 1))).max() < 15
    else:
        assert difference.mean() < 8, f"{difference.mean():.1f} levels off"


@pytest.mark.parametrize("mode", pictures.MODES)
def test_every_mode_in_memory(mode):
    wanted = np.asarray(
        pictures.base().convert("L" if mode.replace(";", "") in GRAY else "RGB").convert("RGB"), np.float32
    )
    assert np.abs(pixels(pictures.in_mode(mode)).mean((0, 1)) - wanted.mean((0, 1))).max() < 15


@pytest.mark.parametrize(("value", "level"), [(0, 0), (200, 1), (32768, 128), (65535, 255)])
def test_sixteen_bit_gray_is_scaled_and_not_clipped(value, level):
    gray = Image.fromarray(np.full((4, 4), value, np.uint16))
    for format in ("PNG", "TIFF"):
        assert open_image(encode(gray, format)).getpixel((1, 1)) == (level,) * 3


@pytest.mark.parametrize(
    ("values", "level"),
    [([0.0, 0.5], 128), ([0.0, 128.0], 128), ([0, 32768.0], 128), ([0, np.nan], 0), ([-9.0, -5.0], 0)],
)
def test_numbers_of_32_bits_get_the_white_that_holds_them(values, level):
    picture = Image.fromarray(np.array([values], np.float32))
    assert open_image(encode(picture, "TIFF")).getpixel((1, 0)) == (level,) * 3


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    gray = Image.fromarray(np.full((4, 4), 1000, np.uint16))
    for data in (encode(clear, "PNG"), encode(clear, "WEBP", lossless=True), encode(gray, "PNG", transparency=1000)):
        assert open_image(data).getpixel((1, 1)) == (255, 255, 255)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_frame_of_an_animation_is_taken(format):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encode(frames[0], format, save_all=True, append_images=frames[1:])
    assert open_image(data).getpixel((4, 4)) == pytest.approx((255, 0, 0), abs=5)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_turn_is_applied(format, orientation):
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("red", (0, 0, 10, 10))  # top left
    back = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for turn in back.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = read_picture(encode(stored, format, exif=exif))
    assert opened.size == opened.image.size == (40, 20)
    assert opened.image.getpixel((3, 3)) == pytest.approx((255, 0, 0), abs=60)
    assert opened.image.getpixel((36, 16)) == pytest.approx((255, 255, 255), abs=20)
    assert np.array_equal(read_picture(opened.image).image, opened.image), "a picture that was read is turned again"


def test_broken_exif_leaves_the_picture_as_it_lies():
    wanted = pixels(encode(pictures.base(), "PNG"))
    for exif in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"nonsense"):
        assert np.array_equal(pixels(encode(pictures.base(), "PNG", exif=exif)), wanted)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP"])
def test_a_large_picture_comes_smaller_and_keeps_its_size_in_mind(format):
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {} if format == "BMP" else {"exif": exif}
    gray = Image.linear_gradient("L").resize((6001, 5000))
    opened = read_picture(encode(gray, format, **options))
    turned = format != "BMP"
    assert opened.size == ((5000, 6001) if turned else (6001, 5000))
    assert opened.image.size == ((2500, 3001) if turned else (3001, 2500))
    small = np.asarray(
        gray.resize((3001, 2500), Image.Resampling.BOX).rotate(-90 if turned else 0, expand=True), np.int16
    )
    assert np.abs(np.asarray(opened.image)[..., 0] - small).max() <= 2


def test_a_large_array_is_reduced_in_bands_without_a_seam():
    y = np.linspace(0, 255, 6000).astype(np.uint8)
    image = open_image(np.broadcast_to(y[:, None], (6000, 5000)))
    steps = np.diff(np.asarray(image)[:, 0, 0].astype(int))
    assert image.size == (2500, 3000) and steps.min() >= 0 and steps.max() <= 1


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.jpg", "none.jpg: does not exist"),
        (".", "is not a file but a folder"),
        ("/dev/zero", "is not a file but a device"),
        ("https://example.com/cat.jpg", "addresses are not opened"),
        ("file:///etc/passwd", "addresses are not opened"),
        ("data:image/png;base64," + "A" * 9000, "addresses are not opened"),
        ("a" * 5000, "cannot be opened: File name too long"),
        ("a\0b.jpg", "null"),
        ("line\nbreak \x1b[31mred\u202e.jpg", r"line\\nbreak \\x1b\[31mred\\u202e.jpg: does not exist"),
        (b"", "is empty, so it is not a picture"),
        (b"no picture", "is not a picture in one of the formats JPEG, PNG"),
        (b"%PDF-1.4 no picture", "is a PDF, .*save the picture in it as JPEG or PNG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<svg/>', "is an SVG, .*save it as PNG"),
        (np.zeros((4, 4), float), "uint8 from 0 to 255. Received: float64"),
        (np.zeros((4, 4, 2), np.uint8), r"shape .*Received: \(4, 4, 2\)"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.broadcast_to(np.uint8(0), (10_000, 10_000)), "10000x10000 pixels are more than 80,000,000"),
        (Image.new("L", (0, 3)), "0x3 pixels are no picture"),
        (3, "Received: int"),
        (None, "Received: NoneType"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(source, message):
    import re

    assert re.search(message, text := refused(source)), text
    assert len(text) < 1200


def test_a_pipe_and_a_socket_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    answer = []
    asked = threading.Thread(target=lambda: answer.append(refused(tmp_path / "pipe.jpg")), daemon=True)
    asked.start()
    asked.join(5)
    assert answer and "a named pipe" in answer[0]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.jpg"))
        assert "a socket" in refused(tmp_path / "s.jpg")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / "secret.jpg").write_bytes(b"x")

    def forbidden(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", forbidden)
    assert "secret.jpg: cannot be opened: Permission denied" in refused(tmp_path / "secret.jpg")


def test_a_file_of_too_many_bytes(tmp_path):
    with (tmp_path / "long.tiff").open("wb") as file:
        file.truncate(reading.MAX_BYTES + 1)
    assert "250,000,001 bytes are more than 250,000,000" in refused(tmp_path / "long.tiff")
    assert "bytes are more than" in refused(b"II*\0" + bytes(reading.MAX_BYTES))


def test_a_pillow_image_that_cannot_be_decoded_is_refused_each_time(photo):
    cut = Image.open(io.BytesIO(photo.read_bytes()[:-900]))
    for _ in range(3):  # Pillow raises another type the second time
        assert "cannot be read as a picture" in refused(cut)
    closed = Image.open(photo)
    closed.close()
    assert "cannot be read as a picture" in refused(closed)


def test_a_cut_picture_is_refused(photo):
    data = photo.read_bytes()
    assert "cannot be read as a picture" in refused(data[: len(data) // 2])


def test_a_damaged_picture_is_not_called_something_else(photo):
    for length in (3, 30, 300):
        assert "cannot be read as a picture" in refused(photo.read_bytes()[:length])


def test_a_checksum_that_only_verify_looks_at():
    data = bytearray(encode(pictures.base(), "PNG"))
    at = data.index(b"IEND") - 8  # the last byte of the checksum of the pixels
    data[at + 3] ^= 1
    Image.open(io.BytesIO(data)).load()
    assert "cannot be read as a picture" in refused(bytes(data))
    assert "cannot be read as a picture" in refused(encode(pictures.base(), "PNG")[:-8])


def test_not_enough_memory_is_an_error_of_the_picture(photo, monkeypatch):
    def no_memory(*arguments):
        raise MemoryError

    monkeypatch.setattr(reading, "to_rgb", no_memory)
    assert "there is not enough memory to decode it" in refused(photo)


@pytest.mark.parametrize("name", ["data:x.jpg", "http:"])
def test_a_file_that_is_called_like_an_address_is_a_file(name, tmp_path, monkeypatch):
    Image.new("RGB", (5, 4)).save(tmp_path / name, "JPEG")
    monkeypatch.chdir(tmp_path)
    assert open_image(name).size == (5, 4)
