"""The words that are written, as the user wants them."""

from __future__ import annotations

import dataclasses

from captioner.errors import ConfigError
from captioner.wording import LEAST_CHARACTERS, as_sentence, shorten

STOPS = (".", "!", "?", "…", ",", ";", ":")


@dataclasses.dataclass(frozen=True)
class Wording:
    """How captions are put.

    Attributes:
        prefix, suffix: stand before and behind every caption, as they are given, blanks included.
        max_characters: longest text, prefix and suffix included; None for any.
        min_confidence: a caption below it is not written; None writes all.

    Raises:
        ConfigError: no caption can be put like this.
    """

    prefix: str = ""
    suffix: str = ""
    max_characters: int | None = None
    min_confidence: float | None = None

    def __post_init__(self):
        if not (self.prefix + self.suffix).isprintable():
            raise ConfigError("prefix and suffix are one line. Received one with a line break or a control character")
        if self.max_characters is not None and self._room < LEAST_CHARACTERS:
            raise ConfigError(
                f"max_characters is {LEAST_CHARACTERS} or more beside the {len(self.prefix + self.suffix)} of prefix "
                f"and suffix. Received: {self.max_characters}"
            )
        if self.min_confidence is not None and not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"min_confidence is a number from 0 to 1. Received: {self.min_confidence}")

    @property
    def _room(self) -> int:
        return self.max_characters - len(self.prefix) - len(self.suffix) - 1  # the full stop

    def caption(self, words: str) -> str:
        """Lower case, as trained, without a full stop: what trainers of image models read."""
        text = words if self.max_characters is None else shorten(words, self._room)
        return f"{self.prefix}{text}{self.suffix}".strip()

    def alt_text(self, words: str) -> str:
        """The same as a sentence."""
        return as_sentence(self.caption(words))

    def holds_back(self, confidence: float | None) -> bool:
        """Whether a caption is too unsure to be written.

        Raises:
            ConfigError: the model does not know how sure it is.
        """
        if self.min_confidence is None:
            return False
        if confidence is None:
            raise ConfigError("this model is not calibrated, so min_confidence means nothing to it; leave it out")
        return confidence < self.min_confidence


def joined(first: str, second: str) -> str:
    """Two texts as one, with a comma between them unless the first ends in a stop."""
    first, second = first.strip(), second.strip()
    if not first or not second:
        return first or second
    return f"{first} {second}" if first.endswith(STOPS) else f"{first}, {second}"
