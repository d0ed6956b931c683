"""How a caption is put for its reader: a beginning, an end, a length in characters. Knows no Keras."""

from __future__ import annotations

# Words that no caption ends in: where one is cut behind them, they go as well.
NO_LAST_WORDS = frozenset(
    {
        "a", "an", "the", "and", "or", "but", "of", "in", "on", "at", "by", "to", "from", "with", "without", "into",
        "onto", "over", "under", "through", "along", "across", "around", "between", "behind", "near", "next", "for",
        "as", "while", "is", "are", "his", "her", "their", "its", "that", "which", "who", "this", "some", "two",
        "three", "another", "other", "very",
    }
)  # fmt: skip
LEAST_CHARACTERS = 20  # that a caption needs
ENDS = (".", "!", "?", "…")


def shorten(text: str, max_characters: int) -> str:
    """The first whole words of a text, so many characters at most, and none at the end that leaves it open."""
    if len(text) <= max_characters:
        return text
    words = text[: max_characters + 1].split(" ")[:-1]
    while words and words[-1].strip(",;:") in NO_LAST_WORDS:
        words.pop()
    return " ".join(words).rstrip(",;:")


def as_sentence(text: str) -> str:
    """A text with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(ENDS) else '.'}" if text else ""
