"""The library's own exceptions. Each carries one line: what came, what was expected, what to do."""

from __future__ import annotations

MAX_LETTERS = 2000


def one_line(text: str) -> str:
    """Text that stays one line on any terminal: what cannot be printed, such as a line break, is written as an escape.

    Names of files and words of damaged folders come from strangers; they may hold control sequences.
    """
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:MAX_LETTERS])
    return line if len(text) <= MAX_LETTERS else f"{line}…"


class CaptionerError(Exception):
    """Anything this library refuses; catch it to catch all of them.

    Args:
        message: what came, what was expected, what to do; it is kept to one line.
    """

    def __init__(self, message: str):
        super().__init__(one_line(message))


class ImageError(CaptionerError):
    """A picture that cannot be read."""


class ModelError(CaptionerError):
    """A model folder that is missing, damaged or not ours."""


class DatasetError(CaptionerError):
    """Pictures and captions that cannot be used for training or evaluation."""


class ConfigError(CaptionerError):
    """A setting that is unknown or out of range."""
