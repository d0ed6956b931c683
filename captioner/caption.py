"""What a captioner answers: plain results that know no Keras."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image

from captioner import drawing
from captioner.errors import ConfigError
from captioner.pictures.geometry import map_to_picture
from captioner.pictures.reading import Source, open_image
from captioner.sidecar import xmp_packet
from captioner.vocabulary import join_words
from captioner.wording import LEAST_CHARACTERS, as_sentence, shorten


@dataclasses.dataclass(frozen=True, eq=False)
class Word:
    """One word of a caption and where the network looked when it wrote it.

    Attributes:
        text: the word.
        probability: P(word | words before, picture).
        mask: float32 (rows, columns) on the attention grid, sums to 1.
        alternatives: the five likeliest choices of that step, (word, probability), the likeliest first;
            "<end>" means that the caption could have stopped there.
        gate: mean of the gate beta, 0 to 1 (Xu et al. 2015, section 4.2.1); None where the model has none.
        sentinel: weight on "no place", 0 to 1; None where the model has none.
        heads: float32 (heads, rows, columns), whose mean is the mask; None where the model has one head.
        confidence: calibrated chance that people would use this word, whatever its ending; None for words such as
            "the", which say nothing of the picture, and where the model is not calibrated.
        known: whether the vocabulary holds the word; one that it lacks is scored as unknown, often a likely thing.
    """

    text: str
    probability: float
    mask: np.ndarray = dataclasses.field(repr=False)
    alternatives: tuple[tuple[str, float], ...] = ()
    gate: float | None = None
    sentinel: float | None = None
    heads: np.ndarray | None = dataclasses.field(default=None, repr=False)
    confidence: float | None = None
    known: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "text": self.text,
            "probability": self.probability,
            "known": self.known,
            "alternatives": [list(pair) for pair in self.alternatives],
            "gate": self.gate,
            "sentinel": self.sentinel,
            "confidence": self.confidence,
            "mask": self.mask.tolist(),
            "heads": None if self.heads is None else self.heads.tolist(),
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Caption:
    """A caption of one picture.

    Attributes:
        words: the words, each with its mask.
        score: sum of log-probabilities, the end included, over (words + 1).
        source: the picture as it was given; it is opened again when something is drawn.
        size: (width, height) of the upright picture.
        resize: how the network's square was made of it, as in `EncoderConfig`.
        threshold: the confidence from which a caption is sure; None where the model is not calibrated.
    """

    words: tuple[Word, ...]
    score: float
    source: Source = dataclasses.field(repr=False)
    size: tuple[int, int]
    resize: str = "squash"
    threshold: float | None = None

    @property
    def text(self) -> str:
        """The words, lower case, without punctuation, as the model was trained."""
        return join_words(word.text for word in self.words)

    @property
    def sentence(self) -> str:
        """The text with a capital and a full stop, for alt text."""
        return as_sentence(self.text)

    def alt_text(self, max_characters: int = 125) -> str:
        """The sentence, so many characters at most: longer ones end with a whole word that closes them.

        Raises:
            ConfigError: there is no room for a word.
        """
        if max_characters < LEAST_CHARACTERS:
            raise ConfigError(f"max_characters is {LEAST_CHARACTERS} or more. Received: {max_characters}")
        return as_sentence(shorten(self.text, max_characters - 1))

    def save_sidecar(self, path: str | os.PathLike, max_characters: int = 125) -> None:
        """Write an XMP file with the alt text, which photo programs read beside `photo.jpg` as `photo.xmp`.

        A file that is there is replaced; `captioner --write xmp` keeps what else it holds.

        Raises:
            ConfigError: there is no room for a word.
            OSError: the file cannot be written.
        """
        pathlib.Path(path).write_bytes(xmp_packet(self.alt_text(max_characters)))

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the content words, 0 where there is none; None where the model is not calibrated."""
        if self.threshold is None:
            return None
        chances = [word.confidence for word in self.words if word.confidence is not None]
        return sum(chances) / len(chances) if chances else 0.0

    @property
    def sure(self) -> bool | None:
        """Whether nine of ten captions like this have most of their content words right; None if not calibrated."""
        return None if self.threshold is None else self.confidence >= self.threshold

    @functools.cached_property
    def peak(self) -> float:
        """The largest mask value of the caption: the one scale that all its words are drawn on."""
        return max((float(word.mask.max()) for word in self.words), default=1.0)

    def image(self) -> Image.Image:
        """The picture, upright, RGB, opened anew; one of more than 25 megapixels comes smaller than `size`."""
        return open_image(self.source)

    def heatmap(self, index: int) -> np.ndarray:
        """Mask of word `index` in the picture's own upright geometry: float32 (height, width), the mask's values."""
        return map_to_picture(self.words[index].mask, self.size, self.resize)

    def draw(self, index: int) -> Image.Image:
        """The heatmap of word `index` over the picture, on the scale all words of the caption share."""
        picture = self.image()
        heat = map_to_picture(self.words[index].mask, picture.size, self.resize)
        return drawing.overlay(picture, heat, self.peak)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: text, score, size and every word with its mask."""
        return {
            "text": self.text,
            "sentence": self.sentence,
            "score": self.score,
            "confidence": self.confidence,
            "sure": self.sure,
            "size": list(self.size),
            "resize": self.resize,
            "words": [word.to_dict() for word in self.words],
        }

    def _repr_html_(self) -> str:
        return drawing.html(self)
