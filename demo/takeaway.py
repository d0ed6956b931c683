"""What can be taken away: pictures, an animation, numbers. Drawing is `captioner.drawing`'s."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from captioner import Caption, ConfigError
from captioner.drawing import animation, contact_sheet, lay_words, typeface, word_picture

CARD = (1200, 630)  # what the large networks show whole
CARD_MARGIN, CARD_GAP = 44, 48
NIGHT, LIGHT, DIM, MARK = "#17171a", "#fafafa", "#a1a1aa", "#9a3412"
WORD_SIDE, GIF_SIDE = 1600, 360


def make_file(caption: Caption, kind: str, index: int) -> tuple[bytes, str, str]:
    """A file to keep.

    Args:
        caption: of what.
        kind: "word", "sheet", "share", "webp", "gif" or "json".
        index: the word that "word" and "share" show; below zero, the one with the sharpest mask.

    Returns:
        Its content, name and media type.

    Raises:
        ConfigError: there is no such kind or word.
    """
    if kind not in MAKERS:
        raise ConfigError(f"a file to keep is one of {', '.join(MAKERS)}. Received: {kind!r}")
    if index >= len(caption.words):
        raise ConfigError(f"the caption has {len(caption.words)} words, counted from 0. Received: index {index}")
    if index < 0:
        index = int(np.argmax([word.mask.max() for word in caption.words]))
    make, suffix, mime_type = MAKERS[kind]
    named = caption.words[index].text if kind == "word" else caption.text
    stem = re.sub(r"\W+", "-", named)[:60].strip("-") or "caption"
    return make(caption, index), f"{stem}{suffix}", mime_type


def share_picture(caption: Caption, index: int) -> Image.Image:
    """A card of 1200 x 630 pixels: the photo with the mask of one word, and the caption with that word marked."""
    card = Image.new("RGB", CARD, NIGHT)
    draw = ImageDraw.Draw(card)
    room = (720, CARD[1] - 2 * CARD_MARGIN)
    photo = ImageOps.contain(word_picture(caption, index, WORD_SIDE), room, Image.Resampling.LANCZOS)
    corner = (CARD_MARGIN, (CARD[1] - photo.height) // 2)
    corners = Image.new("L", photo.size)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, photo.width - 1, photo.height - 1), 18, 255)
    card.paste(photo, corner, corners)

    left = CARD_MARGIN + photo.width + CARD_GAP
    width = CARD[0] - CARD_MARGIN - left
    words = [word.text for word in caption.words]
    size, places, below = _fitting(words, width, 380)
    font, top = typeface(size), (CARD[1] - below - 60) // 2
    for place, (word, (x, y)) in enumerate(zip(words, places, strict=True)):
        if place == index:
            box = (left + x - 10, top + y - 4, left + x + font.getlength(word) + 10, top + y + 1.22 * size)
            draw.rounded_rectangle(box, 10, MARK)
        draw.text((left + x, top + y), word, LIGHT, font)
    note = f"The light shows where the network looked for “{words[index]}”.".split()
    for word, (x, y) in zip(note, lay_words(note, typeface(20), width, 28)[0], strict=True):
        draw.text((left + x, top + below + 26 + y), word, DIM, typeface(20))
    return card


def _fitting(words: list[str], width: int, height: int) -> tuple[int, list, int]:
    """The largest type in which words fill no more than a space, their places, and the height they take."""
    for size in range(64, 18, -2):
        places, below = lay_words(words, typeface(size), width, round(1.45 * size))
        if below <= height and all(typeface(size).getlength(word) <= width for word in words):
            break
    return size, places, below


def _png(draw: Callable[[Caption, int], Image.Image]) -> Callable[[Caption, int], bytes]:
    def make(caption: Caption, index: int) -> bytes:
        data = io.BytesIO()
        draw(caption, index).save(data, "PNG", compress_level=4)
        return data.getvalue()

    return make


def _webp(caption: Caption, index: int) -> bytes:
    pictures, durations = zip(*animation(caption), strict=True)
    return _animated(pictures, durations, "WEBP", quality=80, method=2)


def _gif(caption: Caption, index: int) -> bytes:
    pictures, durations = zip(*animation(caption, GIF_SIDE), strict=True)
    pictures = [picture.quantize(128, Image.Quantize.FASTOCTREE) for picture in pictures]
    return _animated(pictures, durations, "GIF")


def _animated(pictures: Sequence[Image.Image], durations: Sequence[int], format: str, **options) -> bytes:
    data = io.BytesIO()
    pictures[0].save(
        data, format, save_all=True, append_images=pictures[1:], duration=list(durations), loop=0, **options
    )
    return data.getvalue()


def _json(caption: Caption, index: int) -> bytes:
    return json.dumps(caption.to_dict(), indent=1, ensure_ascii=False).encode()


MAKERS = {
    "word": (_png(lambda caption, index: word_picture(caption, index, WORD_SIDE)), ".png", "image/png"),
    "sheet": (_png(lambda caption, index: contact_sheet(caption)), ".png", "image/png"),
    "share": (_png(share_picture), "-share.png", "image/png"),
    "webp": (_webp, ".webp", "image/webp"),
    "gif": (_gif, ".gif", "image/gif"),
    "json": (_json, ".json", "application/json"),
}
