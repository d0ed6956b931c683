"""A picture becomes the network's square, and a mask goes back to where the network looked."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from captioner.pictures.geometry import map_to_picture, network_square, view_box


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


def test_a_mask_on_a_padded_square_by_hand():
    mask = np.arange(16, dtype=np.float32).reshape(4, 4)
    square = np.asarray(Image.fromarray(mask).resize((40, 40), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(map_to_picture(mask, (40, 20), "pad"), square[10:30], atol=1e-5)
    np.testing.assert_allclose(map_to_picture(mask, (20, 40), "pad"), square[:, 10:30], atol=1e-5)


@pytest.mark.parametrize("size", [(60000, 1), (1, 60000)])
@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_a_picture_of_one_row_costs_no_square_of_its_width(size, resize):
    """Padded, 60,000 pixels in a row would lie on a square of 11 gigabytes."""
    square = network_square(Image.new("RGB", size, "white"), 64, resize)
    assert square.shape == (64, 64, 3)
    assert square.max() > 0
    assert map_to_picture(np.full((7, 7), 1 / 49), size, resize).shape == size[::-1]
