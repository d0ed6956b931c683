"""Draw masks over pictures: overlays, contact sheets, animations, HTML for notebooks. Pillow only.

`captioner.caption` draws with this, so nothing here knows it: whatever has what `Drawable` names can be drawn.
"""

from __future__ import annotations

import base64
import functools
import html as markup
import io
import math
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from captioner.errors import ConfigError
from captioner.pictures.geometry import map_to_picture
from captioner.pictures.reading import Source

# Inferno of matplotlib (van der Walt and Smith, CC0) in steps of 1/8: its lightness grows evenly, also for colour-blind
# eyes and in print, so that brighter always means more attention.
INFERNO = (
    (0, 0, 4),
    (31, 12, 72),
    (85, 15, 109),
    (136, 34, 106),
    (186, 54, 85),
    (227, 89, 51),
    (249, 140, 10),
    (249, 201, 50),
    (252, 255, 164),
)
FAINT = 0.12  # share of the peak
THUMBNAIL = 256
LABEL = 110
SAVED_SIDE = 1024
ANIMATION_SIDE = 480
HOLD, FADE, FADE_STEPS = 800, 50, 4  # milliseconds that a word stands, and that each step on the way to it takes

INK, GREY, PAPER, MARK = "#1a1a1e", "#6b6b76", "#ffffff", "#fbd5bd"
MARGIN, GAP = 20, 14


class DrawableWord(Protocol):
    """What drawing takes of a `captioner.Word`."""

    text: str
    probability: float
    known: bool
    mask: np.ndarray


class Drawable(Protocol):
    """What drawing takes of a `captioner.Caption`, where each of these is described."""

    words: Sequence[DrawableWord]
    sentence: str
    peak: float
    source: Source
    resize: str

    def image(self) -> Image.Image: ...


@functools.lru_cache(maxsize=8)
def colour_table(strength: float = 0.75) -> np.ndarray:
    """Colours of an overlay from no attention (row 0) to the peak (row 255).

    What was not looked at is darkened, what was looked at is tinted, and the photo shows through both.

    Args:
        strength: 0 leaves the photo as it is, 1 is the strongest overlay.

    Returns:
        uint8 (256, 4): red, green, blue, alpha; not premultiplied.
    """
    level, colours = _inferno()
    shade = 0.7 * strength * (1 - level)
    tint = 0.65 * strength * level
    alpha = 1 - (1 - shade) * (1 - tint)
    # One layer that has the effect of two: black laid on first, the tint on top of it.
    colours *= (tint / np.maximum(alpha, 1e-9))[:, None]
    return np.concatenate([colours, alpha[:, None] * 255], axis=1).round().astype(np.uint8)


def light_table() -> np.ndarray:
    """Colours of the same scale as light, to be added to a photo; uint8 (256, 3), from black to the peak's."""
    # The root begins so steeply that the light would end at a hard edge; the faintest of it fades out.
    fading = np.minimum(1, np.linspace(0, 1, 256) / FAINT)[:, None]
    return (fading * _inferno()[1]).round().astype(np.uint8)


def _inferno() -> tuple[np.ndarray, np.ndarray]:
    # The root lifts faint attention out of the dark; it is the same for all words, and the scale below shows it.
    level = np.sqrt(np.linspace(0, 1, 256))
    anchors = np.asarray(INFERNO, np.float64)
    channels = [np.interp(level, np.linspace(0, 1, len(anchors)), channel) for channel in anchors.T]
    return level, np.stack(channels, axis=1)


def overlay(picture: Image.Image, heatmap: np.ndarray, peak: float, strength: float = 0.75) -> Image.Image:
    """Lay a heatmap over a picture.

    Args:
        picture: RGB, of the size of the heatmap.
        heatmap: float32 (height, width), 0 or more, as `Caption.heatmap` returns it.
        peak: the value that gets the brightest colour. Give all words of a caption the same one, `Caption.peak`:
            stretching each to full contrast would make a network that looks nowhere look sharp.
        strength: 0 leaves the photo as it is, 1 is the strongest overlay.

    Returns:
        RGB picture of the same size.

    Raises:
        ValueError: the sizes differ or the peak is not above zero.
    """
    if heatmap.shape != (picture.height, picture.width):
        raise ValueError(
            f"a picture of {picture.width}x{picture.height} needs a heatmap of that size. Received: {heatmap.shape}"
        )
    if not peak > 0:
        raise ValueError(f"peak must be above zero. Received: {peak}")
    levels = Image.fromarray(np.clip(heatmap * (255.0 / peak), 0, 255).round().astype(np.uint8))
    table = colour_table(strength)
    colours = levels.copy()
    colours.putpalette(table[:, :3].tobytes())
    return Image.composite(colours.convert("RGB"), picture.convert("RGB"), levels.point(table[:, 3].tolist()))


def word_picture(caption: Drawable, index: int, side: int = SAVED_SIDE) -> Image.Image:
    """The photo with the overlay of word `index`, at most `side` pixels long, on the scale of the whole caption."""
    return _overlay(caption, _small(caption, side), caption.words[index])


def contact_sheet(caption: Drawable, columns: int | None = None) -> Image.Image:
    """The photo and every word with its overlay on one sheet, the caption above and the colour scale below.

    Args:
        caption: what to draw; all its words share one scale.
        columns: pictures in a row; None chooses a sheet that is a little wider than high.

    Returns:
        RGB picture; each thumbnail is at most 256 pixels long, whatever the size of the photo.
    """
    photo, overlays = _thumbnails(caption, THUMBNAIL)
    cells = [(photo, "", ""), *((picture, word.text, _percent(word.probability)) for picture, word in overlays)]
    width, height = max(photo.width, LABEL), photo.height
    columns = max(1, min(columns or _columns(len(cells), width / height), len(cells)))
    inner = columns * (width + GAP) - GAP
    title = _wrap(caption.sentence or "(no words)", typeface(22), inner)
    top = MARGIN + 30 * len(title) + 8
    rows = math.ceil(len(cells) / columns)
    step = height + 48 + GAP
    sheet = Image.new("RGB", (inner + 2 * MARGIN, top + rows * step + 16 + MARGIN), PAPER)
    draw = ImageDraw.Draw(sheet)
    for line, text in enumerate(title):
        draw.text((MARGIN, MARGIN + 30 * line), text, INK, typeface(22))
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        _draw_cell(sheet, draw, (MARGIN + column * (width + GAP), top + row * step), cell)
    _draw_scale(sheet, draw, (MARGIN, top + rows * step), inner, caption.peak)
    return sheet


def animation(caption: Drawable, side: int = ANIMATION_SIDE) -> list[tuple[Image.Image, int]]:
    """The mask gliding over the photo from word to word, the caption below it with the word marked.

    Args:
        caption: what to draw; all its words share one scale.
        side: of the photo, in pixels.

    Returns:
        (RGB picture, milliseconds) of each frame, made to be shown in a loop.
    """
    photo = _small(caption, side)
    places, below = lay_words([word.text for word in caption.words], typeface(20), photo.width - 2 * GAP, 30)

    def frame(picture: Image.Image, marked: int | None) -> Image.Image:
        whole = Image.new("RGB", (photo.width, photo.height + below + 2 * GAP), PAPER)
        whole.paste(picture)
        draw = ImageDraw.Draw(whole)
        for index, (word, (x, y)) in enumerate(zip(caption.words, places, strict=True)):
            corner = (GAP + x, photo.height + GAP + y)
            if index == marked:
                right = corner[0] + typeface(20).getlength(word.text)
                draw.rounded_rectangle((corner[0] - 4, corner[1] - 2, right + 4, corner[1] + 26), 6, MARK)
            draw.text(corner, word.text, INK if index == marked or marked is None else GREY, typeface(20))
        return whole

    frames, before = [(frame(photo, None), HOLD)], photo
    for index, word in enumerate(caption.words):
        picture = _overlay(caption, photo, word)
        for step in range(1, FADE_STEPS):
            frames.append((frame(Image.blend(before, picture, step / FADE_STEPS), index), FADE))
        frames.append((frame(picture, index), HOLD))
        before = picture
    return frames


def lay_words(words: list[str], font: ImageFont.FreeTypeFont, width: int, line: int) -> tuple[list, int]:
    """Places for words, as many in a line as fit.

    Args:
        words: what to lay.
        font: their type.
        width: of a line in pixels.
        line: height of a line in pixels.

    Returns:
        (left, top) of each word, and the height of all lines.
    """
    places, x, y = [], 0.0, 0
    for word in words:
        length = font.getlength(word)
        if x and x + length > width:
            x, y = 0.0, y + line
        places.append((round(x), y))
        x += length + 1.4 * font.getlength(" ")
    return places, y + line


def html(caption: Drawable) -> str:
    """Words and masks as one piece of HTML with its pictures inside, for notebooks. Text is escaped."""
    photo, overlays = _thumbnails(caption, 192)
    figures = [_figure(photo, caption.sentence, "", "")]
    for picture, word in overlays:
        figures.append(
            _figure(
                picture,
                f"where the network looked for {word.text}",
                word.text,
                _percent(word.probability) if word.known else f"unknown: {_percent(word.probability)}",
            )
        )
    return (
        '<div style="font-family:system-ui,sans-serif">'
        f'<p style="font-size:1.15em;margin:0 0 .6em">{markup.escape(caption.sentence)}</p>'
        f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(figures)}</div></div>'
    )


def save_masks(caption: Drawable, folder: str | os.PathLike, stem: str) -> list[pathlib.Path]:
    """Write `folder/stem.png`, the contact sheet, and `folder/stem/NN_word.png` for every word, NN being its index.

    The overlays are at most 1024 pixels long. Overlays of an earlier caption in `folder/stem` are removed.

    Args:
        caption: what to draw.
        folder: where to write; made if it does not exist.
        stem: name of the picture without its suffix.

    Returns:
        The files written, the contact sheet first.

    Raises:
        ConfigError: the contact sheet would replace the picture itself.
        OSError: the folder cannot be written.
    """
    folder = pathlib.Path(folder)
    sheet, words = folder / f"{stem}.png", folder / stem
    if isinstance(caption.source, (str, os.PathLike)) and sheet.resolve() == pathlib.Path(caption.source).resolve():
        raise ConfigError(f"{sheet} is the picture itself; choose another folder for the masks")
    words.mkdir(parents=True, exist_ok=True)
    for old in words.glob("[0-9][0-9]_*.png"):
        old.unlink()
    _write(contact_sheet(caption), sheet)
    files = [sheet]
    for index, (picture, word) in enumerate(_thumbnails(caption, SAVED_SIDE)[1]):
        name = re.sub(r"[^\w-]+", "_", word.text)[:40].strip("_") or "word"
        files.append(words / f"{index:02d}_{name}.png")
        _write(picture, files[-1])
    return files


def _write(picture: Image.Image, path: pathlib.Path) -> None:
    """A PNG file, whole or not at all."""
    partial = path.with_name(f".{path.name}")
    try:
        picture.save(partial, "PNG")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _thumbnails(caption: Drawable, side: int):
    """The photo, at most `side` pixels long, and a generator of (overlay, word)."""
    photo = _small(caption, side)
    return photo, ((_overlay(caption, photo, word), word) for word in caption.words)


def _small(caption: Drawable, side: int) -> Image.Image:
    photo = caption.image()
    photo.thumbnail((side, side))
    return photo


def _overlay(caption: Drawable, photo: Image.Image, word: DrawableWord) -> Image.Image:
    return overlay(photo, map_to_picture(word.mask, photo.size, caption.resize), caption.peak)


def _columns(cells: int, ratio: float) -> int:
    """Columns of a sheet a little wider than high whose last row is as full as can be."""
    columns = math.ceil(math.sqrt(1.4 * cells / ratio))
    return math.ceil(cells / math.ceil(cells / columns))


def _percent(probability: float) -> str:
    return f"{100 * probability:.0f} %" if probability >= 0.01 else "< 1 %"


@functools.lru_cache(maxsize=8)
def typeface(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The type that Pillow brings along, in pixels."""
    return ImageFont.load_default(size=size)


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Lines of whole words that fit the width; a word longer than a line is shortened."""
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(_shorten(word, font, width))
    return lines


def _shorten(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _draw_cell(sheet: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], cell) -> None:
    picture, text, probability = cell
    left, top = corner
    sheet.paste(picture, corner)
    draw.text(
        (left, top + picture.height + 5), _shorten(text, typeface(18), max(picture.width, LABEL)), INK, typeface(18)
    )
    draw.text((left, top + picture.height + 28), probability, GREY, typeface(13))


def _draw_scale(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, corner: tuple[int, int], width: int, peak: float
) -> None:
    """The colours over middle grey, and which share of the attention the brightest one stands for."""
    left, top = corner
    bar = Image.new("RGB", (min(128, width // 2), 12), "#808080")
    ramp = np.broadcast_to(np.linspace(0, 1, bar.width, dtype=np.float32), (bar.height, bar.width))
    sheet.paste(overlay(bar, ramp, 1.0), (left, top + 1))
    label = f"0 to {100 * peak:.0f} % of a word's attention in one cell"
    draw.text(
        (left + bar.width + 10, top - 1), _shorten(label, typeface(13), width - bar.width - 10), GREY, typeface(13)
    )


def _figure(picture: Image.Image, alt: str, text: str, probability: str) -> str:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=85)
    source = base64.b64encode(data.getvalue()).decode("ascii")
    return (
        '<figure style="margin:0">'
        f'<img src="data:image/jpeg;base64,{source}" alt="{markup.escape(alt)}" '
        'style="display:block;border-radius:6px">'
        f'<figcaption style="padding-top:4px">{markup.escape(text)} '
        f'<span style="opacity:.6;font-size:.85em">{probability}</span></figcaption></figure>'
    )
