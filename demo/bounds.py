"""What one question may ask of a model: nothing longer than the longest caption that the model writes."""

from __future__ import annotations

from typing import Any

from captioner import Captioner, ConfigError, DecodingOptions
from captioner.vocabulary import split_words

MAX_LETTERS = 2000  # of a text
MAX_WORD = 100  # letters of a word


def given_words(captioner: Captioner, text: str) -> str:
    """A text to score or to draw.

    Raises:
        ConfigError: it is longer than any caption of the model.
    """
    if len(text) > MAX_LETTERS:
        raise ConfigError(f"the text has {len(text)} letters; give at most {MAX_LETTERS}")
    words, longest = split_words(text), _longest(captioner)
    if len(words) > longest:
        raise ConfigError(f"the text has {len(words)} words; give at most {longest}, this model's longest caption")
    if words and len(max(words, key=len)) > MAX_WORD:
        raise ConfigError(f"a word of the text has {len(max(words, key=len))} letters; give at most {MAX_WORD}")
    return text


def check_length(captioner: Captioner, options: DecodingOptions) -> None:
    """Refuse captions longer than the model's own.

    Raises:
        ConfigError: such a caption is asked for.
    """
    longest = _longest(captioner)
    for name in ("min_words", "max_words"):
        if (getattr(options, name) or 0) > longest:
            raise ConfigError(f"{name} is at most {longest} for this model. Received: {getattr(options, name)}")


def fitting(captioner: Captioner, options: dict[str, Any]) -> dict[str, Any]:
    """Settings of the page, which may stand for another model, with no longer caption than this model writes."""
    chosen = DecodingOptions.parse(options)
    return options | {"max_words": min(chosen.max_words or _longest(captioner), _longest(captioner))}


def _longest(captioner: Captioner) -> int:
    return captioner.config.decoder.max_words
