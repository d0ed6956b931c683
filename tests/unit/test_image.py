"""Pictures come in upright and RGB; a mask goes back to where the network looked."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from captioner import ImageError
from captioner.image import map_to_picture, network_square, open_image, view_box


def encoded(picture: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def test_all_ways_in_give_the_same_pixels(photo):
    pixels = np.asarray(open_image(photo))
    for source in (str(photo), photo.read_bytes(), Image.open(photo), pixels):
        assert np.array_equal(np.asarray(open_image(source)), pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_turn_is_applied(orientation):
    upright = Image.new("RGB", (40, 20), "white")
    upright.paste("red", (0, 0, 10, 10))  # top left
    turns = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for turn in turns.get(orientation, []):
        stored = stored.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    opened = open_image(encoded(stored, "PNG", exif=exif))
    assert opened.size == (40, 20)
    assert opened.getpixel((3, 3)) == (255, 0, 0)
    assert opened.getpixel((36, 16)) == (255, 255, 255)


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert open_image(encoded(clear, "PNG")).getpixel((1, 1)) == (255, 255, 255)


def test_sixteen_bit_gray_is_scaled_and_not_clipped():
    gray = Image.fromarray(np.full((4, 4), 32768, np.uint16))
    assert open_image(encoded(gray, "PNG")).getpixel((1, 1)) == (128, 128, 128)


def test_the_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_image(data).getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.jpg", "none.jpg: does not exist"),
        (".", "is not a file"),
        (b"", "is not a picture"),
        (b"%PDF-1.4 no picture", "is not a picture in one of the formats JPEG, PNG"),
        (np.zeros((4, 4), float), "uint8 from 0 to 255. Received: float64"),
        (np.zeros((4, 4, 2), np.uint8), r"shape .*Received: \(4, 4, 2\)"),
        (3, "Received: int"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(source, message):
    with pytest.raises(ImageError, match=message) as error:
        open_image(source)
    assert "\n" not in str(error.value)


def test_a_cut_picture_is_refused(photo):
    data = photo.read_bytes()
    with pytest.raises(ImageError, match="cannot be read as a picture"):
        open_image(data[: len(data) // 2])


def test_view_box_by_hand():
    assert view_box((300, 100), "squash") == (0, 0, 300, 100)
    assert view_box((300, 100), "crop") == (100, 0, 200, 100)
    assert view_box((300, 100), "pad") == (0, -100, 300, 200)
    assert view_box((100, 300), "crop") == (0, 100, 100, 200)


@pytest.mark.parametrize("size", [(300, 100), (100, 300), (231, 77), (77, 231), (120, 120), (121, 120)])
@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_the_overlay_is_where_the_network_looked(size, resize):
    """Put a red spot in a picture, find it on the network's grid, and map that mask back: it lands on the spot."""
    width, height = size
    left, top, right, bottom = (max(edge, 0) for edge in view_box(size, resize))
    x, y = int(left + 0.7 * (min(right, width) - left)), int(top + 0.3 * (min(bottom, height) - top))
    pixels = np.zeros((height, width, 3), np.uint8)
    radius = max(min(size) // 12, 3)
    pixels[max(y - radius, 0) : y + radius, max(x - radius, 0) : x + radius, 0] = 255
    square = network_square(Image.fromarray(pixels), 98, resize)
    assert square.shape == (98, 98, 3)
    mask = square[:, :, 0].reshape(7, 14, 7, 14).sum((1, 3)).astype(np.float32)
    heatmap = map_to_picture(mask / mask.sum(), size, resize)
    assert heatmap.shape == (height, width)
    peak_y, peak_x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    view = view_box(size, resize)
    assert abs(peak_x - x) <= (view[2] - view[0]) / 7
    assert abs(peak_y - y) <= (view[3] - view[1]) / 7


def test_nothing_is_shown_where_the_crop_cut():
    heatmap = map_to_picture(np.full((7, 7), 1 / 49), (300, 100), "crop")
    assert heatmap[:, :100].max() == 0
    assert heatmap[:, 200:].max() == 0
    assert np.allclose(heatmap[:, 100:200], 1 / 49)


def test_a_mask_keeps_its_values_and_its_corners():
    mask = np.zeros((2, 2), np.float32)
    mask[0, 1] = 1.0
    heatmap = map_to_picture(mask, (40, 20), "squash")
    assert heatmap[0, 39] == 1.0
    assert heatmap[19, 0] == 0.0
