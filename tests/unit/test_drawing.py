"""Overlays, contact sheets and HTML of hand-made captions."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from captioner import Caption, ConfigError, Word, drawing
from captioner.pictures.geometry import view_box

WIDE, TALL = (640, 160), (150, 600)
GREY = (120, 120, 120)


def one_hot(row: int, column: int, rows: int = 4, columns: int = 6) -> np.ndarray:
    mask = np.zeros((rows, columns), np.float32)
    mask[row, column] = 1
    return mask


def make_caption(size, masks, resize="squash", texts=None, source=None) -> Caption:
    texts = texts or [f"word{index}" for index in range(len(masks))]
    words = tuple(Word(text, 0.5, mask) for text, mask in zip(texts, masks, strict=True))
    return Caption(words, -1.0, source or Image.new("RGB", size, GREY), size, resize)


def brightness(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"), np.float32)


@pytest.mark.parametrize("size", [WIDE, TALL])
@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_overlay_is_brightest_in_the_cell_looked_at(size, resize):
    rows, columns = 4, 6
    left, top, right, bottom = view_box(size, resize)
    for row, column in [(1, 2), (2, 3), (2, 2)]:
        drawn = brightness(make_caption(size, [one_hot(row, column)], resize).draw(0))
        y, x = np.unravel_index(drawn.argmax(), drawn.shape)
        assert int((x + 0.5 - left) / (right - left) * columns) == column
        assert int((y + 0.5 - top) / (bottom - top) * rows) == row


def test_overlay_darkens_what_was_not_looked_at_and_keeps_the_size():
    drawn = make_caption(WIDE, [one_hot(0, 0)]).draw(0)
    assert drawn.size == WIDE and drawn.mode == "RGB"
    light = brightness(drawn)
    assert light[0, 0] > GREY[0] > light[-1, -1] > 10


def test_words_of_a_caption_share_one_scale():
    weak = np.full((4, 6), 1 / 24, np.float32)
    caption = make_caption(WIDE, [one_hot(0, 0), weak])
    assert brightness(caption.draw(1)).max() < brightness(caption.draw(0)).max() - 60


def test_strength_nought_leaves_the_picture_alone():
    picture = Image.effect_noise(WIDE, 60).convert("RGB")
    heatmap = np.random.default_rng(0).random((WIDE[1], WIDE[0]), np.float32)
    assert np.array_equal(drawing.overlay(picture, heatmap, 1.0, strength=0), picture)


def test_colours_get_lighter_and_more_opaque_with_attention():
    table = drawing.colour_table().astype(np.float64)
    over_black = table[:, :3] @ (0.2126, 0.7152, 0.0722) * table[:, 3] / 255
    assert np.all(np.diff(over_black) > -1.5)  # whole numbers jitter by one
    assert over_black[255] > 100 and table[:, 3].min() > 100 and table[:, 3].max() < 200


def test_a_quarter_of_the_peak_is_light_that_one_can_see():
    light = drawing.light_table().astype(np.float64) @ (0.2126, 0.7152, 0.0722)
    assert light[0] < 1 and np.all(np.diff(light) > -1.5)
    assert light[64] > 70 and light[255] > 230


@pytest.mark.parametrize(("shape", "peak"), [((10, 20), 1.0), ((160, 640), 0.0), ((160, 640), float("nan"))])
def test_overlay_refuses_what_does_not_fit(shape, peak):
    with pytest.raises(ValueError, match="Received"):
        drawing.overlay(Image.new("RGB", WIDE), np.zeros(shape, np.float32), peak)


@pytest.mark.parametrize("size", [WIDE, TALL, (4000, 3000), (30, 20)])
def test_contact_sheet_has_a_cell_for_the_photo_and_every_word(size):
    caption = make_caption(size, [one_hot(0, 0)] * 5)
    width, height = min(1, 256 / max(size)) * np.array(size)
    width = max(width, drawing.LABEL)
    sheet = drawing.contact_sheet(caption, columns=3)
    assert sheet.width == pytest.approx(3 * width + 2 * drawing.GAP + 2 * drawing.MARGIN, abs=3)
    assert 2 * (height + 40) < sheet.height < 2 * (height + 80) + 160


def test_contact_sheet_puts_masks_where_they_belong():
    caption = make_caption((256, 128), [one_hot(3, 5)])
    sheet = brightness(drawing.contact_sheet(caption, columns=2))
    top = int(np.argmax(sheet[:, drawing.MARGIN + 10] == GREY[0]))
    left = drawing.MARGIN + 256 + drawing.GAP
    cell = sheet[top : top + 128, left : left + 256]
    y, x = np.unravel_index(cell.argmax(), cell.shape)
    assert y > 128 * 3 / 4 and x > 256 * 5 / 6


def test_caption_without_words_and_very_long_words_can_be_drawn():
    assert drawing.contact_sheet(make_caption(WIDE, [])).width > 256
    long = make_caption(TALL, [one_hot(0, 0)], texts=["w" * 200])
    assert drawing.contact_sheet(long).width < 600
    assert "<p" in drawing.html(make_caption(WIDE, []))


def test_html_escapes_words_and_carries_its_pictures():
    text = drawing.html(make_caption(WIDE, [one_hot(0, 0)], texts=["<script>alert('\"')</script>"]))
    assert "<script" not in text and "&lt;script&gt;" in text
    assert re.search(r'alt="[^"<>]*&quot;[^"<>]*"', text)
    assert text.count('src="data:image/jpeg;base64,') == 2 and "http" not in text


def test_save_masks_writes_a_sheet_and_one_overlay_a_word(tmp_path):
    caption = make_caption((3000, 1000), [one_hot(0, 0)] * 3, texts=["a", "../up", "né e"])
    files = drawing.save_masks(caption, tmp_path / "new", "photo")
    names = [str(file.relative_to(tmp_path / "new")) for file in files]
    assert names == ["photo.png", "photo/00_a.png", "photo/01_up.png", "photo/02_né_e.png"]
    assert Image.open(files[1]).size == (1024, 341)
    drawing.save_masks(make_caption(WIDE, [one_hot(0, 0)]), tmp_path / "new", "photo")
    assert [file.name for file in (tmp_path / "new" / "photo").iterdir()] == ["00_word0.png"]


def test_save_masks_does_not_replace_the_picture(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("RGB", WIDE).save(path)
    with pytest.raises(ConfigError, match="choose another folder"):
        drawing.save_masks(make_caption(WIDE, [one_hot(0, 0)], source=path), tmp_path, "photo")
    assert Image.open(path).size == WIDE
