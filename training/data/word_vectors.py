"""Word vectors in GloVe's text format: "word number number …" a line (Pennington et al. 2014)."""

from __future__ import annotations

import pathlib

import numpy as np

from captioner.errors import ConfigError
from captioner.vocabulary import Vocabulary


def load_word_vectors(path: str | pathlib.Path, vocabulary: Vocabulary, size: int) -> dict[int, np.ndarray]:
    """Vectors of the vocabulary's words, {id: float32 (size,)}; a word the file lacks is left out.

    The file is read line by line, and only what is needed is kept. word2vec's text format, whose first line holds two
    numbers, is read as well.

    Raises:
        ConfigError: the file cannot be read, its vectors have another length, or it holds none of the words.
    """
    found: dict[int, np.ndarray] = {}
    try:
        with pathlib.Path(path).open("rb") as file:
            for number, line in enumerate(file, 1):
                parts = line.rstrip().split(b" ")
                if number == 1 and len(parts) == 2:
                    continue
                word = b" ".join(parts[:-size]).decode("utf-8", "replace").lower()
                if len(parts) <= size or len(parts) > size + 4:  # GloVe's largest file has words with spaces
                    raise ConfigError(
                        f"{path} line {number}: expected a word and {size} numbers, as model.decoder.embedding_size "
                        f"says. Received: {len(parts) - 1} numbers"
                    )
                if word in vocabulary and (place := vocabulary.encode([word])[0]) not in found:
                    found[place] = _vector(path, number, parts[-size:])
    except OSError as error:
        raise ConfigError(f"cannot read the word vectors {path}: {error.strerror}") from None
    if not found:
        raise ConfigError(f"{path} has a vector for none of the {len(vocabulary)} words; is it of this language?")
    return found


def _vector(path, number: int, parts: list[bytes]) -> np.ndarray:
    try:
        vector = np.array(parts, dtype="S").astype(np.float32)
    except ValueError:
        vector = np.array([np.nan])
    if not np.isfinite(vector).all():
        raise ConfigError(f"{path} line {number}: holds something that is not a number")
    return vector
