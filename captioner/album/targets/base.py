"""What all places for captions have in common."""

from __future__ import annotations

import abc
import pathlib

from captioner.album.answer import Answer
from captioner.album.ledger import Ledger


class Target(abc.ABC):
    """A place for captions.

    Args:
        folder: the output folder, for what is one file for all photos.
        ledger: the memory of that folder, through which every file is replaced.

    Attributes:
        name: as it is asked for.
        is_sentence: whether its text is a sentence, for readers, or bare words, for training.
        is_shared: whether one file holds the captions of all photos.
        changes_photo: whether the caption is written into the photo itself.
        keeps_others: whether words of others can stand there.
    """

    name: str
    is_sentence = True
    is_shared = False
    changes_photo = False
    keeps_others = True

    def __init__(self, folder: pathlib.Path, ledger: Ledger):
        self.folder, self.ledger = folder, ledger

    @abc.abstractmethod
    def path(self, photo: pathlib.Path) -> pathlib.Path:
        """The file that holds the caption of a photo."""

    @abc.abstractmethod
    def read(self, photo: pathlib.Path) -> str | None:
        """The text that stands there for a photo; None where there is none.

        Raises:
            OSError, CaptionerError: it cannot be read.
        """

    @abc.abstractmethod
    def write(self, photo: pathlib.Path, text: str, answer: Answer) -> None:
        """Put a text there.

        Raises:
            OSError, CaptionerError: it cannot be written.
        """

    def holds(self, photo: pathlib.Path) -> bool:
        """Whether what was written for a photo is still there; asked often, so it only looks whether it is."""
        return self.path(photo).exists()

    def flush(self) -> None:  # noqa: B027
        """Write what was collected, if this is one file for all."""

    def close(self) -> None:  # noqa: B027
        """Let go of what helps to write."""
