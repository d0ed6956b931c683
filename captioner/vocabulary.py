"""Words to ids and back. One text file, one word a line; the four special entries come first."""

from __future__ import annotations

import collections
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from captioner.errors import ModelError

PAD, START, END, UNKNOWN = range(4)
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
NEVER_WRITTEN = (PAD, START, UNKNOWN)
# Chinese characters and Japanese kana, written without spaces: each is a word. Korean has spaces and is not among them.
_BY_CHARACTER = re.compile(
    "([\u3005-\u3007\u3031-\u3035\u3041-\u3096\u309d-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U0001b000-\U0001b16f\U00020000-\U0003ffff])"
)
_ASCII_PUNCTUATION = re.compile(r"[\W_]+")
_OF_WORDS = ("L", "M", "N")  # Unicode categories: letters, marks, numbers

# English words that say nothing of what a picture shows: they are right in nearly every caption, and may come again.
FUNCTION_WORDS = frozenset(
    {
        "a", "an", "the", "this", "that", "these", "those", "some", "any", "each", "another", "other", "its",
        "his", "her", "their", "them", "they", "it", "he", "she", "who", "which", "what", "of", "in", "on",
        "at", "by", "to", "from", "with", "without", "into", "onto", "over", "under", "up", "down", "out",
        "off", "through", "along", "across", "around", "between", "behind", "near", "next", "for", "as",
        "about", "against", "during", "while", "and", "or", "but", "is", "are", "was", "were", "be", "being",
        "been", "am", "has", "have", "having", "do", "does", "there", "here", "not", "no", "one", "two",
        "three", "several", "many", "very", "few", "both", "all", "where", "when", "together", "front",
        "side", "top",
    }
)  # fmt: skip


def split_words(text: str) -> list[str]:
    """Lower-case words of a text, without punctuation: "A man's T-shirt ." gives ["a", "mans", "tshirt"].

    This is the one rule for training, scoring and evaluation. Words stand between spaces; of their characters those
    that Unicode counts as letters, marks or numbers stay. Chinese and Japanese are written without spaces, so there
    each character is a word: "两只狗" gives ["两", "只", "狗"]. Other scripts without spaces (Thai, Lao, Khmer and
    Burmese) need a dictionary to be split; put spaces between their words.

    Punctuation inside a word is dropped and the word stays one, so that word i of a caption is still the i-th word of
    the original that is more than punctuation.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("i\u0307", "i")  # of the Turkish capital
    if text.isascii():
        words = (_ASCII_PUNCTUATION.sub("", word) for word in text.split())
    else:
        words = ("".join(filter(_is_of_words, word)) for word in _BY_CHARACTER.sub(r" \1 ", text).split())
    return [word for word in words if word]


def _is_of_words(character: str) -> bool:
    return unicodedata.category(character)[0] in _OF_WORDS


def join_words(words: Iterable[str]) -> str:
    """Words as a text: with spaces between them, but none between two that are Chinese or Japanese characters."""
    text = ""
    for word in words:
        close = text and _BY_CHARACTER.match(text[-1]) and _BY_CHARACTER.match(word[:1])
        text += word if close or not text else f" {word}"
    return text


class Vocabulary:
    """An ordered list of words; a word's id is its place in the list.

    Args:
        words: all entries, the four of `SPECIAL` first.

    Raises:
        ModelError: entries are missing, repeated or not single words.
    """

    def __init__(self, words: Sequence[str]):
        self.words = list(words)
        if tuple(self.words[:4]) != SPECIAL:
            raise ModelError(f"a vocabulary starts with {', '.join(SPECIAL)}. Received: {self.words[:4]}")
        self._ids = {word: i for i, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            twice = next(word for word, n in collections.Counter(self.words).items() if n > 1)
            raise ModelError(f"vocabulary holds '{twice}' more than once; each word may stand on one line only")
        wrong = next((word for word in self.words[4:] if word.split() != [word] or not word.isprintable()), None)
        if wrong is not None:
            raise ModelError(f"vocabulary line {self.words.index(wrong) + 1} is not a single word. Received: {wrong!r}")

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._ids

    @classmethod
    def count(cls, captions: Iterable[str], min_count: int = 5) -> Vocabulary:
        """Words that occur at least `min_count` times, the commonest first. Give it training captions only."""
        counts = collections.Counter(word for text in captions for word in split_words(text))
        kept = sorted((word for word, n in counts.items() if n >= min_count), key=lambda word: (-counts[word], word))
        return cls([*SPECIAL, *kept])

    def encode(self, words: Iterable[str]) -> list[int]:
        """Ids of words; a word that is not here becomes `UNKNOWN`. Neither start nor end is added."""
        return [self._ids.get(word, UNKNOWN) for word in words]

    def decode(self, ids: Iterable[int]) -> list[str]:
        """Words of ids."""
        return [self.words[int(i)] for i in ids]

    def save(self, path: str | pathlib.Path) -> None:
        """Write one word a line, UTF-8."""
        pathlib.Path(path).write_text("\n".join(self.words) + "\n", encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: str | pathlib.Path) -> Vocabulary:
        """Read what `save` wrote.

        Raises:
            ModelError: the file is missing or no vocabulary.
        """
        try:
            return cls(pathlib.Path(path).read_text(encoding="utf-8").removesuffix("\n").split("\n"))
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(f"cannot read the vocabulary {path}: {error}") from None
