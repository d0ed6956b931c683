"""Make a picture the network's square, and map a mask back onto the picture. Knows no Keras."""

from __future__ import annotations

import numpy as np
from PIL import Image

from captioner.pictures.reading import Source, open_image

__all__ = ["Source", "map_to_picture", "network_square", "open_image", "view_box"]

RESAMPLE = Image.Resampling.BILINEAR
MAX_PADDED_SIDE = 4096  # a picture of one row would otherwise lie on a square of its width


def view_box(size: tuple[int, int], resize: str) -> tuple[float, float, float, float]:
    """The part of a picture that the network's square covers: left, top, right, bottom in pixels of the picture.

    Args:
        size: (width, height) of the upright picture.
        resize: "squash" covers it exactly, "crop" covers its central square, "pad" reaches beyond its short side.
    """
    width, height = size
    if resize == "squash":
        return (0.0, 0.0, float(width), float(height))
    side = min(size) if resize == "crop" else max(size)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)


def network_square(picture: Image.Image, image_size: int, resize: str) -> np.ndarray:
    """The square the network sees: uint8 (image_size, image_size, 3)."""
    left, top, right, bottom = view_box(picture.size, resize)
    if resize == "pad":
        if max(picture.size) > MAX_PADDED_SIDE:
            picture = picture.copy()
            picture.thumbnail((MAX_PADDED_SIDE, MAX_PADDED_SIDE), RESAMPLE)
            left, top, right, bottom = view_box(picture.size, resize)
        square = Image.new("RGB", (max(picture.size),) * 2)
        square.paste(picture, (round(-left), round(-top)))
        picture, box = square, None
    else:
        box = (left, top, right, bottom)
    return np.asarray(picture.resize((image_size, image_size), RESAMPLE, box=box))


def map_to_picture(mask: np.ndarray, size: tuple[int, int], resize: str) -> np.ndarray:
    """Lay a mask of the attention grid over the picture it belongs to.

    Args:
        mask: float (rows, columns) over the network's square.
        size: (width, height) of the upright picture.
        resize: how the square was made of the picture.

    Returns:
        float32 (height, width), the mask's own values interpolated between the centres of its cells; 0 where the
        network did not look because that part was cropped away.
    """
    left, top, right, bottom = (round(edge) for edge in view_box(size, resize))
    width, height = size
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    # Only the part of the grid that lies on the picture: a padded square may be far larger than the picture.
    columns, rows = mask.shape[1] / (right - left), mask.shape[0] / (bottom - top)
    box = ((x0 - left) * columns, (y0 - top) * rows, (x1 - left) * columns, (y1 - top) * rows)
    cells = Image.fromarray(np.ascontiguousarray(mask, np.float32))
    smooth = np.asarray(cells.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, box=box))
    if (x0, y0, x1, y1) == (0, 0, width, height):
        return smooth
    picture = np.zeros((height, width), np.float32)
    picture[y0:y1, x0:x1] = smooth
    return picture
