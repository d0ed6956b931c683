"""Pixels of every mode that Pillow knows, as RGB on white. Knows no Keras."""

from __future__ import annotations

import numpy as np
from PIL import Image

BAND_PIXELS = 4_000_000


def to_rgb(picture: Image.Image, factor: int = 1) -> Image.Image:
    """A loaded picture as RGB, with transparency laid on white.

    16-bit gray is scaled to 8 bits. Numbers of 32 bits have no fixed white: it is the first of 1 (fractions only), 255
    and 65,535 that holds all of them, or else the largest. Colour profiles are not applied.

    Args:
        picture: in any mode.
        factor: each square of so many pixels a side becomes the mean of its colours.

    Raises:
        ValueError: a mode that Pillow cannot turn into RGB.
    """
    white = _white(picture)
    if factor == 1 and picture.width * picture.height <= BAND_PIXELS:
        return _flat(picture, white)
    # Band by band, so that a large picture never stands in memory in several modes at once.
    rows = max(BAND_PIXELS // (picture.width * factor), 1) * factor
    small = Image.new("RGB", (-(-picture.width // factor), -(-picture.height // factor)))
    for top in range(0, picture.height, rows):
        band = _flat(picture.crop((0, top, picture.width, min(top + rows, picture.height))), white)
        small.paste(band.reduce(factor) if factor > 1 else band, (0, top // factor))
    return small


def _white(picture: Image.Image) -> float | None:
    """The number that stands for white where a pixel is one number of more than 8 bits."""
    if picture.mode.startswith("I;16"):
        return 65535.0
    if picture.mode not in ("I", "F"):
        return None
    rows = max(BAND_PIXELS // picture.width, 1)
    largest = 0.0
    for top in range(0, picture.height, rows):
        values = np.asarray(picture.crop((0, top, picture.width, min(top + rows, picture.height))))
        largest = max(largest, float(values.max(initial=0, where=np.isfinite(values))))
    tops = (1.0, 255.0, 65535.0) if picture.mode == "F" else (255.0, 65535.0)
    return next((top for top in tops if largest <= top), largest)


def _flat(picture: Image.Image, white: float | None) -> Image.Image:
    if white is not None:
        return _from_numbers(picture, white)
    if picture.mode == "LAB":
        return _from_lab(picture)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return picture.convert("RGB")


def _from_numbers(picture: Image.Image, white: float) -> Image.Image:
    values = np.asarray(picture)
    shares = np.clip(np.nan_to_num(values.astype(np.float32) * np.float32(255.0 / white)), 0, 255)
    gray = shares.round().astype(np.uint8)
    clear = picture.info.get("transparency")
    if isinstance(clear, int):
        gray[values == clear] = 255
    return Image.fromarray(gray).convert("RGB")


def _from_lab(picture: Image.Image) -> Image.Image:
    from PIL import ImageCms

    lab, rgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(picture, lab, rgb, outputMode="RGB")
