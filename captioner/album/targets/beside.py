"""A text file beside each photo: photo.jpg has photo.txt, as trainers of image models expect."""

from __future__ import annotations

import pathlib

from captioner.album import files
from captioner.album.answer import Answer
from captioner.album.targets.base import Target


class Text(Target):
    """name.txt beside the photo: the bare words and a line break, UTF-8."""

    name = "txt"
    is_sentence = False

    def path(self, photo: pathlib.Path) -> pathlib.Path:
        return photo.with_suffix(".txt")

    def read(self, photo: pathlib.Path) -> str | None:
        data = files.read_or_none(self.path(photo))
        return None if data is None else data.decode("utf-8", "surrogateescape").strip() or None

    def write(self, photo: pathlib.Path, text: str, answer: Answer) -> None:
        self.ledger.replace(self.path(photo), f"{text}\n".encode("utf-8", "surrogateescape"))
