"""What a picture by itself says of words: how likely people are to use each of them of it, whatever the caption.

A linear map reads that from the annotation vectors, pooled over the grid, besides how often each word proved right when
the model wrote it. Both are learned by `training.calibrate` and lie in the model folder, so every runtime has them.
"""

from __future__ import annotations

import pathlib

import numpy as np

from captioner.errors import ModelError
from captioner.folders.folder import EVIDENCE
from captioner.folders.weights import open_weights, write_weights
from captioner.vocabulary import Vocabulary

NAMES = ("directions", "words", "bias", "usual", "record")
LIFT, FAINT = 0.2, 0.01  # what it counts that a word is likelier than usual; a chance below counts as this one


class Evidence:
    """The linear map and the record of each word.

    Args:
        directions: (2 * channels, rank); pooled annotation vectors times it say what the picture is about.
        words: (rank, known words); what speaks for each of the first words of the vocabulary.
        bias: (known words,)
        usual: (known words,) how likely people are to use each word of any picture.
        record: (vocabulary,) log odds that a word is right when the model writes it.
    """

    def __init__(
        self, directions: np.ndarray, words: np.ndarray, bias: np.ndarray, usual: np.ndarray, record: np.ndarray
    ):
        self.directions, self.words, self.bias, self.usual, self.record = (
            np.asarray(values, np.float32) for values in (directions, words, bias, usual, record)
        )

    @classmethod
    def load(cls, folder: pathlib.Path, vocabulary: Vocabulary) -> Evidence | None:
        """That of a verified folder; None where it has none.

        Raises:
            ModelError: it is damaged, or not of this vocabulary.
        """
        path = folder / EVIDENCE
        if not path.is_file():
            return None
        with open_weights(path) as file:
            shapes = [file.shapes.get(name, ()) for name in NAMES]
            if [len(shape) for shape in shapes] != [2, 2, 1, 1, 1] or len(file.shapes) != len(NAMES):
                raise ModelError(f"{path} holds no evidence of words; calibrate the model again")
            (_, rank), (rows, known), (biases,), (usual,), (entries,) = shapes
            if rank != rows or not known == biases == usual or known > entries or entries != len(vocabulary):
                raise ModelError(
                    f"{path} does not fit {folder / 'vocabulary.txt'}: it is of {entries} words and not of "
                    f"{len(vocabulary)}; calibrate the model again"
                )
            return cls(*(file.read(name) for name in NAMES))

    def save(self, folder: pathlib.Path) -> None:
        """Write it into a folder whose manifest is not written yet."""
        write_weights(folder / EVIDENCE, {name: getattr(self, name) for name in NAMES})

    def read(self, annotations: np.ndarray) -> np.ndarray:
        """What is known of each word of the vocabulary.

        Args:
            annotations: (locations, channels) of one picture.

        Returns:
            float32 (vocabulary, 3): the chance, 0 to 1, that people use the word of the picture, 0 for those that the
            map does not know; its record; and what speaks for a caption that holds it: the chance and `LIFT` times the
            logarithm of how much likelier it is than usual.

        Raises:
            ModelError: the map was learned from annotation vectors of another length.
        """
        return self.read_pooled(pooled(annotations))

    def read_pooled(self, vector: np.ndarray) -> np.ndarray:
        """`read` of annotation vectors that are pooled already, (2 * channels,).

        Raises:
            ModelError: the map was learned from annotation vectors of another length.
        """
        vector = np.asarray(vector, np.float32)
        if len(vector) != len(self.directions):
            raise ModelError(
                f"{EVIDENCE} is of another encoder: it reads {len(self.directions)} numbers of a picture, which has "
                f"{len(vector)}; calibrate the model again"
            )
        known = np.stack([np.zeros_like(self.record), self.record, np.zeros_like(self.record)], axis=1)
        chance = np.clip(vector @ self.directions @ self.words + self.bias, 0.0, 1.0)
        lift = np.log(np.maximum(chance, FAINT) / np.maximum(self.usual, FAINT))
        known[: len(chance), 0], known[: len(chance), 2] = chance, chance + LIFT * lift
        return known


def ranked(found: dict[str, np.ndarray], row: int, known: np.ndarray | None, weight: float) -> np.ndarray:
    """Places of the captions of picture `row`, the best first, with what the picture says of their words counted.

    Args:
        found: tensors of a search.
        row: of the picture.
        known: what `Evidence.read` says; None where nothing does.
        weight: of it; 0 leaves captions as the search has sorted them.
    """
    places = np.arange(found["words"].shape[1])
    if known is None or not weight:
        return places
    said = [known[found["words"][row, i, : found["length"][row, i]], 2].sum() for i in places]
    return np.argsort(-(found["rank"][row] + weight * np.array(said)), kind="stable")


def pooled(annotations: np.ndarray) -> np.ndarray:
    """Mean and maximum over the grid: (…, locations, channels) to float32 (…, 2 * channels)."""
    values = np.asarray(annotations, np.float32)
    return np.concatenate([values.mean(-2), values.max(-2)], axis=-1)
