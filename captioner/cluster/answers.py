"""What the service answers, with types, so that its OpenAPI description says it; the fields of `Caption.to_dict`."""

from __future__ import annotations

import pydantic


class WordAnswer(pydantic.BaseModel):
    """A word; the mask is rows of columns, the heads masks, and both are left out where masks=false."""

    text: str
    probability: float
    known: bool
    alternatives: list[tuple[str, float]]
    gate: float | None
    sentinel: float | None
    confidence: float | None
    mask: list[list[float]] | None = None
    heads: list[list[list[float]]] | None = None


class CaptionAnswer(pydantic.BaseModel):
    """A caption; size is width and height of the upright photo, resize how the network's square was made of it."""

    text: str
    sentence: str
    score: float
    confidence: float | None
    sure: bool | None
    size: tuple[int, int]
    resize: str
    words: list[WordAnswer]


class Unread(pydantic.BaseModel):
    """A photo among others that could not be read."""

    error: str


class Refusal(pydantic.BaseModel):
    """Why a request was not served."""

    detail: str


class ModelAnswer(pydantic.BaseModel):
    """The model that answers; version stands for its settings, words and weights, threshold for a sure caption."""

    name: str
    version: str
    grid: tuple[int, int]
    max_words: int
    words: int
    threshold: float | None
