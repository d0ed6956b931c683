"""The viewer: a photo, its caption word by word, and the mask of the chosen word over the photo.

The component is a `gr.HTML` whose template never changes: frame.html is the frame, look.css its looks, and the scripts
fill it. Its value is the latest message to the browser, see `demo.listeners`; hovering, keys, playing, views and
looking back need no message. It is built by a function and not by a subclass, because Gradio writes a .pyi file next
to the source of every subclass.
"""

from __future__ import annotations

import io
import math
import pathlib
import time
from typing import Any

import gradio as gr
from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from captioner import Caption, Word
from captioner.drawing import light_table
from captioner.pictures.geometry import view_box

PHOTO_SIDE = 1600
HERE = pathlib.Path(__file__).parent
# One function for the browser, in the order of reading: each file may use what those before it define.
SCRIPTS = ("page", "terms", "masks", "words", "detail", "region", "views", "captions", "sentence", "trust", "main")


def viewer(**options: Any) -> gr.HTML:
    """The component; its value is what `message` returns, or None for the empty frame.

    Args:
        **options: further arguments of `gr.HTML`, such as `elem_id`.
    """
    return gr.HTML(
        html_template=_asset("frame.html"),
        css_template=_asset("look.css"),
        js_on_load="\n".join(_asset(f"{name}.js") for name in SCRIPTS),
        apply_default_css=False,
        lights=light_table().tobytes().hex(),
        **options,
    )


def message(kind: str, **content: Any) -> dict[str, Any]:
    """A message to the browser; Gradio passes on only what differs from the message before."""
    return {"kind": kind, "id": time.time_ns(), **content}


def describe_picture(captions: list[Caption], photo: FileData) -> dict[str, Any]:
    """What the browser needs to show captions of one picture.

    Args:
        captions: the one to show first, then others.
        photo: what `cache_photo` made of their picture.

    Returns:
        JSON-ready: `photo`; `size` (width, height) of the picture; `box`, the part of the picture that the masks cover,
        as fractions of its width and height; `captions`, see `describe`.
    """
    (width, height), resize = captions[0].size, captions[0].resize
    left, top, right, bottom = view_box((width, height), resize)
    return {
        "photo": photo.model_dump(),
        "size": [width, height],
        "box": [left / width, top / height, right / width, bottom / height],
        "captions": [describe(caption) for caption in captions],
    }


def describe(caption: Caption) -> dict[str, Any]:
    """JSON-ready: text, sentence, confidence, `peak`, the one scale of all masks, and the words with their masks."""
    return {
        "text": caption.text,
        "sentence": caption.sentence,
        "confidence": math.exp(caption.score),
        "trust": caption.confidence,
        "sure": caption.sure,
        "peak": caption.peak,
        "words": [_describe_word(word) for word in caption.words],
    }


def _describe_word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "probability": word.probability,
        "alternatives": [list(pair) for pair in word.alternatives],
        "gate": word.gate,
        "sentinel": word.sentinel,
        "confidence": word.confidence,
        "mask": [[float(f"{value:.4g}") for value in row] for row in word.mask.tolist()],
    }


def cache_photo(photo: Image.Image, side: int = PHOTO_SIDE) -> FileData:
    """A copy in Gradio's cache that every browser shows the same way: upright, no metadata, at most `side` long."""
    photo = photo.copy()
    photo.thumbnail((side, side))
    data = io.BytesIO()
    photo.save(data, "JPEG", quality=90)
    return cache_file(data.getvalue(), "photo.jpg", "image/jpeg")


def cache_file(data: bytes, name: str, mime_type: str) -> FileData:
    """A file that the browser may fetch."""
    path = save_bytes_to_cache(data, name, get_upload_folder())
    return FileData(path=path, orig_name=name, mime_type=mime_type)


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
