"""Every picture of a data set, looked at once: can it be read, and which others does it resemble?"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from captioner.errors import ImageError, one_line
from captioner.pictures.reading import open_image
from training.progress import counted

SIDE = 16  # of the grid of brightness differences: 256 bits
THUMBNAIL = 16
BITS_APART = 36  # of 256; rescaling and JPEG change a few, and no two photos of Flickr8k's splits differ in under 49
COLOURS_APART = 16.0  # of 255, on average over a thumbnail
BLOCK = 4096
CANDIDATES = 1000  # of one picture whose hash is that of very many others, blank pages say


@dataclasses.dataclass(frozen=True)
class Look:
    """What is kept of a picture, about 1 KB.

    Attributes:
        problem: why it cannot be read, one line; "" where it can, and all else is then filled in.
        missing: there is no such file.
        size: (width, height), upright.
        digest: hash of the file's bytes.
        bits: difference hash, (256,) of -1 and 1 (Krawetz 2013, "Kind of Like That"): is each point of a 17x16 gray
            thumbnail darker than the one right of it?
        thumbnail: uint8 (16, 16, 3).
    """

    problem: str = ""
    missing: bool = False
    size: tuple[int, int] = (0, 0)
    digest: bytes = b""
    bits: np.ndarray | None = None
    thumbnail: np.ndarray | None = None


def look_at(path: pathlib.Path) -> Look:
    """Read one picture whole, as training will."""
    try:
        if not path.is_file():
            return Look("is not there", missing=True)
        picture = open_image(path)
        digest = hashlib.sha256(path.read_bytes()).digest()
    except (ImageError, OSError, ValueError) as error:
        return Look(one_line(str(error)).removeprefix(f"{path}: "))
    gray = np.asarray(picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), np.int16)
    bits = np.where(gray[:, 1:] > gray[:, :-1], 1, -1).astype(np.int8).ravel()
    thumbnail = np.asarray(picture.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    return Look(size=picture.size, digest=digest, bits=bits, thumbnail=thumbnail)


def look_at_all(paths: Sequence[pathlib.Path]) -> list[Look]:
    """`look_at` for many pictures, with progress."""
    looks = []
    with (
        concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
        counted("looking", len(paths), "pictures") as more,
    ):
        for look in pool.map(look_at, paths):
            looks.append(look)
            more(1)
    return looks


def near_duplicates(looks: Sequence[Look], splits: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs of pictures of two splits that show nearly the same, rescaled or compressed another way, say.

    Their difference hashes differ in at most a seventh of the bits and their thumbnails by little on average. Files of
    the same bytes are not among them.

    Args:
        looks: of readable pictures.
        splits: of the same pictures.

    Yields:
        (i, j), i of train or dev, j of a later split.
    """
    order = {"train": 0, "dev": 1, "test": 2}
    ranks = np.array([order[split] for split in splits])
    for later in (1, 2):
        second = np.flatnonzero(ranks == later)
        first = np.flatnonzero(ranks < later)
        for start in range(0, len(first), BLOCK):
            block = first[start : start + BLOCK]
            yield from _close_pairs(looks, block, second)


def alike(looks: Sequence[Look], splits: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i before j, of pictures of one split that show nearly the same; see `near_duplicates`."""
    for split in dict.fromkeys(splits):
        members = np.array([i for i, other in enumerate(splits) if other == split])
        for one in range(0, len(members), BLOCK):
            for two in range(one, len(members), BLOCK):
                pairs = _close_pairs(looks, members[one : one + BLOCK], members[two : two + BLOCK])
                yield from ((i, j) for i, j in pairs if i < j)


def _close_pairs(looks: Sequence[Look], first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int]]:
    if not len(first) or not len(second):
        return
    # The product of two hashes of -1 and 1 is the bits they share less those they don't.
    one, two = (np.stack([looks[i].bits for i in indices]).astype(np.float32) for indices in (first, second))
    close = one @ two.T >= SIDE**2 - 2 * BITS_APART
    thumbnails = np.stack([looks[i].thumbnail for i in second]).astype(np.int16)
    for row in np.flatnonzero(close.sum(1)):
        i = int(first[row])
        columns = np.flatnonzero(close[row])[:CANDIDATES]
        apart = np.abs(looks[i].thumbnail.astype(np.int16) - thumbnails[columns]).mean((1, 2, 3))
        for column in columns[apart <= COLOURS_APART]:
            j = int(second[column])
            if looks[i].digest != looks[j].digest:
                yield i, j
