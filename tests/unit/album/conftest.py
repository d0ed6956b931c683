"""A captioner without a network, and folders of small photos."""

from __future__ import annotations

import contextlib
import io
import pathlib

import numpy as np
import pytest
from PIL import Image

from captioner.album.ledger import Ledger
from captioner.album.run import Album, Request
from captioner.album.summary import Summary
from captioner.album.targets import make_targets
from captioner.caption import Caption, Word
from captioner.errors import CaptionerError
from captioner.pictures.reading import read_picture
from captioner.vocabulary import SPECIAL, Vocabulary

WORDS = ("a", "red", "green", "blue", "thing", "dog", "stands")


class Painted:
    """Says which colour a photo has most of; counts what it is asked."""

    def __init__(self):
        self.vocabulary = Vocabulary([*SPECIAL, *WORDS])
        self.asked: list[str] = []
        self.confidence = 0.9

    def caption(self, image, required_words=(), count=None, **options):
        colour = ("red", "green", "blue")[int(np.asarray(read_picture(image).image).mean((0, 1)).argmax())]
        forbidden = options.get("forbidden_words", "").split()
        texts = [word for word in ("a", colour, "thing", *required_words) if word not in forbidden]
        mask = np.full((2, 2), 0.25, np.float32)
        words = tuple(Word(text, 0.5, mask, confidence=self.confidence) for text in texts)
        caption = Caption(words, -float(len(words)), image, (8, 6), threshold=0.5)
        return caption if count is None else [caption]

    def captions(self, images, **options):
        for image in images:
            self.asked.append(pathlib.Path(image).name)
            try:
                yield self.caption(image, **options)
            except CaptionerError as error:
                yield error


@pytest.fixture
def painted():
    return Painted()


def encoded(colour=(200, 30, 30), format="JPEG") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(data, format)
    return data.getvalue()


@pytest.fixture
def photos(tmp_path):
    """A folder with a red, a green and, deeper, a blue photo."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for name, colour in {"a.jpg": (200, 30, 30), "b.png": (30, 200, 30), "deep/c.webp": (30, 30, 200)}.items():
        Image.new("RGB", (8, 6), colour).save(folder / name)
    return folder


@pytest.fixture
def write(painted):
    """Caption photos of a folder into targets, as one run; returns (summary, lines told)."""

    def run(folder, targets, photos=None, captioner=painted, dry_run=False, show=None, **request):
        from captioner.album.finding import find_photos

        proposed = []
        lines, summary = [], Summary()
        with contextlib.closing(Ledger(folder, dry_run)) as ledger:
            album = Album(
                Request(**{"model": "1", **request}),
                lambda: captioner,
                ledger,
                made := make_targets([targets], folder, ledger),
                lines.append,
                propose=(show or proposed.append) if dry_run else None,
            )
            try:
                album.run(find_photos([folder]).photos if photos is None else photos, summary)
            finally:
                for target in made:
                    target.close()
        return summary, proposed if dry_run else lines

    return run


@pytest.fixture
def undo():
    def run(folder):
        lines = []
        with contextlib.closing(Ledger(folder)) as ledger:
            return *ledger.undo(lines.append), lines

    return run


def snapshot(folder: pathlib.Path) -> dict[str, bytes]:
    """Every file of a folder but the memory."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".captioner" not in path.parts
    }
