"""Named endpoints for programs, with typed results; the page's own listeners are not among them.

The types are read by Gradio from the signatures, so that annotations here may not be put off with a __future__ import.
"""

import math
from typing import Any, Literal, TypedDict

import gradio as gr
import numpy as np

from captioner import Caption, Captioner
from demo import evidence
from demo.batch import caption_files
from demo.bounds import given_words
from demo.listeners import errors_for_people, search
from demo.models import Models
from demo.takeaway import make_file
from demo.uploads import uploaded
from demo.viewer import cache_file


class WordResult(TypedDict):
    text: str
    probability: float
    known: bool
    confidence: float | None
    alternatives: list[tuple[str, float]]
    gate: float | None
    sentinel: float | None
    leaning: float
    mask: list[list[float]]
    heads: list[list[list[float]]] | None


class CaptionSummary(TypedDict):
    text: str
    score: float
    confidence: float


class CaptionResult(TypedDict):
    model: str
    text: str
    sentence: str
    score: float
    confidence: float
    sure: bool | None
    size: list[int]
    resize: str
    words: list[WordResult]
    others: list[CaptionSummary]


class BatchRow(TypedDict):
    file: str
    caption: str | None
    confidence: float | None
    error: str | None


class BlurredResult(TypedDict):
    cells: list[list[int]]
    attention: float
    probability: float


class MaskCheck(TypedDict):
    word: str
    probability: float
    attended: BlurredResult
    elsewhere: BlurredResult


def add_endpoints(models: Models) -> None:
    """Put the endpoints into the `gr.Blocks` being built."""

    def caption(
        photo: gr.FileData,
        beam_width: int = 5,
        model: str = "",
        strategy: Literal["beam", "diverse", "greedy", "sample"] = "beam",
        max_words: int | None = None,
        min_words: int = 1,
        temperature: float = 1.0,
        prefix: str = "",
        seed: int | None = None,
    ) -> CaptionResult:
        with errors_for_people(photo):
            path, captioner = uploaded(photo), models[model]
            options: dict[str, Any] = {"strategy": strategy, "min_words": min_words, "prefix": prefix}
            options |= {"beam_width": beam_width} if strategy in ("beam", "diverse") else {}
            options |= {"temperature": temperature, "seed": seed} if strategy == "sample" else {}
            options |= {"max_words": max_words} if max_words is not None else {}
            best, *others = search(captioner, path, options)
            return _result(captioner, best, others)

    def score(photo: gr.FileData, text: str, model: str = "") -> CaptionResult:
        with errors_for_people(photo):
            captioner = models[model]
            return _result(captioner, captioner.score(uploaded(photo), given_words(captioner, text)), [])

    def captions(photos: list[gr.FileData], beam_width: int = 5, model: str = "") -> list[BatchRow]:
        with errors_for_people(None):
            return [row.to_dict() for row in caption_files(models[model], photos, beam_width=beam_width)]

    def check_mask(photo: gr.FileData, text: str, index: int, model: str = "") -> MaskCheck:
        with errors_for_people(photo):
            captioner = models[model]
            check = evidence.check_mask(captioner, uploaded(photo), given_words(captioner, text), index)
            return {
                "word": check.word,
                "probability": check.probability,
                "attended": _blurred(check.attended),
                "elsewhere": _blurred(check.elsewhere),
            }

    def draw(
        photo: gr.FileData,
        text: str,
        kind: Literal["word", "sheet", "share", "webp", "gif", "json"] = "sheet",
        index: int = -1,
        model: str = "",
    ) -> gr.FileData:
        with errors_for_people(photo):
            captioner = models[model]
            made = make_file(captioner.score(uploaded(photo), given_words(captioner, text)), kind, index)
            return cache_file(*made)

    def list_models() -> list[str]:
        return models.names

    for fn, name, description in (
        (caption, "caption", "Caption a photo: its words with their masks, and the other captions of the search."),
        (score, "score", "The probabilities and masks of given words."),
        (captions, "captions", "Caption several photos; one that cannot be read is a row with its error."),
        (check_mask, "check_mask", "Blur out where a word looked, and an equal place elsewhere."),
        (draw, "draw", "A caption as a file: picture of a word, contact sheet, card, animation, JSON."),
        (list_models, "models", "The models that can be asked, the default first."),
    ):
        concurrency_id = "batch" if fn is captions else "model"
        gr.api(fn, api_name=name, api_description=description, concurrency_id=concurrency_id)


def _result(captioner: Captioner, caption: Caption, others: list[Caption]) -> CaptionResult:
    answer = caption.to_dict()
    for word, leaning in zip(answer["words"], evidence.leaning(captioner, caption), strict=True):
        word["leaning"] = leaning
    return {
        **answer,
        "model": captioner.name,
        "confidence": math.exp(caption.score),
        "others": [{"text": other.text, "score": other.score, "confidence": math.exp(other.score)} for other in others],
    }


def _blurred(blurred: evidence.Blurred) -> BlurredResult:
    cells = np.argwhere(blurred.cells).tolist()
    return {"cells": cells, "attention": blurred.attention, "probability": blurred.probability}
