"""What is kept of a caption: enough to write it anywhere later, without its photo and without the network."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Self

import numpy as np

from captioner.caption import Caption


@dataclasses.dataclass(frozen=True)
class Answer:
    """A caption as it is remembered.

    Attributes:
        text: the words, as `Caption.text`.
        score, confidence, sure, size, resize: as in `Caption`.
        grid: rows and columns of the masks.
        masks: word, and its mask as base64 of a byte a cell, 255 being the largest of the caption.
    """

    text: str
    score: float
    confidence: float | None
    sure: bool | None
    size: tuple[int, int]
    resize: str
    grid: tuple[int, int]
    masks: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, caption: Caption) -> Self:
        """What is kept of a caption."""
        masks = tuple((word.text, _as_bytes(word.mask / (caption.peak or 1.0))) for word in caption.words)
        grid = tuple(caption.words[0].mask.shape) if caption.words else (1, 1)
        return cls(
            caption.text,
            float(caption.score),
            None if caption.confidence is None else float(caption.confidence),
            None if caption.sure is None else bool(caption.sure),
            tuple(caption.size),
            caption.resize,
            grid,
            masks,
        )

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        masks = tuple((word, mask) for word, mask in values.pop("masks"))
        return cls(**values | {"masks": masks, "size": tuple(values["size"]), "grid": tuple(values["grid"])})


def _as_bytes(mask: np.ndarray) -> str:
    levels = np.clip(np.round(mask * 255.0), 0, 255).astype(np.uint8)
    return base64.b64encode(levels.tobytes()).decode("ascii")
