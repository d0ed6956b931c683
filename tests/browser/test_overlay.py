"""Is the light where the thing is? One shape in a known place, in pictures of every form and turn, on the screen."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from training.shapes import Scene, Shape, draw_scene

ASPECTS = {
    "1:3": (240, 720),
    "9:16": (360, 640),
    "1:1": (480, 480),
    "4:3": (640, 480),
    "16:9": (720, 405),
    "3:1": (900, 300),
}
PLACES = {
    "1:3": (0.72, 0.2),
    "9:16": (0.25, 0.75),
    "1:1": (0.2, 0.3),
    "4:3": (0.75, 0.7),
    "16:9": (0.3, 0.7),
    "3:1": (0.8, 0.3),
}
# What has to be done to an upright picture so that the turn noted in EXIF puts it upright again.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
CELLS = 8  # rows and columns of the grid of models/shapes
CASES = [(aspect, 1) for aspect in ASPECTS] + [("4:3", turn) for turn in TURNS]

# Black in place of the photo and just beyond its edges, where the page's white would be the brightest.
MASK_ALONE = """
#viewer :is(.photo, .outline) { visibility: hidden }
#viewer .stage { background: black !important; border-radius: 0 !important; box-shadow: 0 0 0 9px black }
"""


def draw(aspect: str, turn: int, path):
    """A JPEG that shows, once it is upright, a blue square in a known place."""
    x, y = PLACES[aspect]
    square = Shape("square", "blue", "medium", (x - 0.125, y - 0.125, x + 0.125, y + 0.125))
    picture = draw_scene(Scene((square,), (228, 228, 226), 5), 480).resize(ASPECTS[aspect], Image.Resampling.LANCZOS)
    exif = Image.Exif()
    if turn != 1:
        picture, exif[0x0112] = picture.transpose(TURNS[turn]), turn
    picture.save(path, quality=95, exif=exif)
    return x, y


def place_of(weights: np.ndarray) -> np.ndarray:
    """Centre of mass of (height, width), as shares of width and height."""
    rows, columns = np.indices(weights.shape)
    x, y = (weights * (columns + 0.5)).sum() / weights.sum(), (weights * (rows + 0.5)).sum() / weights.sum()
    return np.array([x / weights.shape[1], y / weights.shape[0]])


def brightest(pixels: np.ndarray) -> np.ndarray:
    """The brightest place of a screenshot, as shares of width and height; blurred a little against noise."""
    light = np.asarray(Image.fromarray(pixels).convert("L").filter(ImageFilter.GaussianBlur(2)), np.float32)
    return place_of((light >= light.max() - 0.5).astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize(("aspect", "turn"), CASES)
def test_the_light_is_where_the_thing_is(visitor, tmp_path, aspect, turn):
    known = draw(aspect, turn, tmp_path / "square.jpg")
    words = visitor.upload(tmp_path / "square.jpg")
    assert words[-2:] == ["blue", "square"], f"the model reads this picture wrong: {words}"

    page = visitor.page
    photo = visitor.screenshot().astype(np.float32)
    differs = np.abs(photo - np.median(photo, axis=(0, 1))).max(axis=2) > 60
    seen = place_of(differs.astype(np.float32))
    assert np.abs(seen - known).max() < 0.02, "the photo on the page is not the photo that was uploaded"

    visitor.choose(len(words) - 1)
    page.add_style_tag(content=MASK_ALONE)
    try:
        light = visitor.screenshot()
    finally:
        page.evaluate("document.head.lastElementChild.remove()")
    assert light.max() > 60, "no mask is drawn"
    away = np.abs(brightest(light) - seen) * CELLS
    assert away.max() <= 1, f"the light is {away} cells away from the square"
