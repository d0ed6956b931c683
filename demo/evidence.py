"""What a word rests on: would it have been written without the photo, or without the place that its mask shows?

Both questions are answered by asking the network again about another picture, `Captioner.score`, and not by reading
numbers inside of it: on 60 photos of Flickr8k's dev split the gate of the attention told next to nothing about the
first (correlation 0.18).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from PIL import Image

from captioner import Caption, Captioner, ConfigError
from captioner.image import view_box
from captioner.reading import open_image

# The mean colour of ImageNet: what networks trained on photos take for no picture at all.
BLANK = Image.new("RGB", (32, 32), (124, 116, 104))
CHECK_SIDE = 1024
ATTENDED_SHARE = 0.5
LARGEST_SHARE = 0.25


def leaning(captioner: Captioner, caption: Caption) -> list[float]:
    """How much each word leans on the photo: log P(word | words before, photo) - log P(word | words before, no photo).

    0 means that the words before are reason enough; 2.3, that the photo made the word ten times likelier.
    """
    if not caption.words:
        return []
    without = captioner.score(BLANK, caption.text)
    return [
        float(np.log(max(word.probability, 1e-12)) - np.log(max(blank.probability, 1e-12)))
        for word, blank in zip(caption.words, without.words, strict=True)
    ]


@dataclasses.dataclass(frozen=True)
class Blanked:
    """A photo with some cells of the attention grid blanked out.

    Attributes:
        picture: what the network was shown.
        cells: bool (rows, columns), the cells without their content.
        attention: share of the word's attention that lay on them.
        probability: P(word | words before, this picture).
    """

    picture: Image.Image
    cells: np.ndarray
    attention: float
    probability: float


@dataclasses.dataclass(frozen=True)
class Check:
    """One word with the photo as it is, without the place it attended to, and without an equal place elsewhere."""

    word: str
    probability: float
    attended: Blanked
    elsewhere: Blanked


def check_mask(captioner: Captioner, photo, text: str, index: int) -> Check:
    """Blank out where word `index` of a caption looked, and for comparison where it did not.

    Args:
        captioner: the model.
        photo: picture as `Captioner.caption` takes it.
        text: the caption.
        index: of the word.

    Raises:
        ImageError: the photo cannot be read.
        ConfigError: the caption has no such word.
    """
    picture = open_image(photo)
    picture.thumbnail((CHECK_SIDE, CHECK_SIDE))
    caption = captioner.score(picture, text)
    if not 0 <= index < len(caption.words):
        raise ConfigError(f"the caption has {len(caption.words)} words, counted from 0. Received: index {index}")
    word = caption.words[index]
    cells = attended_cells(word.mask)

    def blanked(cells: np.ndarray) -> Blanked:
        without = blank_out(picture, cells, caption.resize)
        probability = captioner.score(without, text).words[index].probability
        return Blanked(without, cells, float(word.mask[cells].sum()), probability)

    return Check(word.text, word.probability, blanked(cells), blanked(moved_away(cells, word.mask)))


def attended_cells(mask: np.ndarray) -> np.ndarray:
    """The fewest cells that hold half of the attention, at most a quarter of the grid: bool (rows, columns)."""
    order = np.argsort(-mask, axis=None, kind="stable")
    reached = np.cumsum(mask.ravel()[order])
    count = int(np.searchsorted(reached, ATTENDED_SHARE * reached[-1])) + 1
    cells = np.zeros(mask.size, bool)
    cells[order[: max(1, min(count, int(LARGEST_SHARE * mask.size)))]] = True
    return cells.reshape(mask.shape)


def moved_away(cells: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The same shape where the word looked least; what leaves the grid on one side comes in on the other."""
    rows, columns = mask.shape
    moves = [(row, column) for row in range(rows) for column in range(columns)]
    seen = [mask[np.roll(cells, move, axis=(0, 1))].sum() for move in moves]
    return np.roll(cells, moves[int(np.argmin(seen))], axis=(0, 1))


def blank_out(picture: Image.Image, cells: np.ndarray, resize: str) -> Image.Image:
    """A copy whose chosen cells hold the mean colour of the picture.

    Args:
        picture: upright RGB.
        cells: bool (rows, columns) of the attention grid.
        resize: how the network's square is made of the picture.
    """
    left, top, right, bottom = view_box(picture.size, resize)
    rows, columns = cells.shape
    mean = tuple(int(value) for value in np.asarray(picture).reshape(-1, 3).mean(axis=0).round())
    blank = picture.copy()
    for row, column in np.argwhere(cells).tolist():
        x = (round(left + (right - left) * edge / columns) for edge in (column, column + 1))
        y = (round(top + (bottom - top) * edge / rows) for edge in (row, row + 1))
        (x0, x1), (y0, y1) = x, y
        blank.paste(mean, (x0, y0, x1, y1))
    return blank
