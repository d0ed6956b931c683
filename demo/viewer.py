"""The viewer: a photo, its caption word by word, and the mask of the chosen word over the photo.

The component is a `gr.HTML` whose template never changes: viewer.html is the frame, viewer.css its looks, and viewer.js
fills it from the value that `describe` makes. It is built by a function and not by a subclass, because Gradio writes a
.pyi file next to the source of every subclass.
"""

from __future__ import annotations

import io
import pathlib
from typing import Any

import gradio as gr
from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from captioner import Caption, Word
from captioner.drawing import colour_table
from captioner.image import view_box

PHOTO_SIDE = 1600
HERE = pathlib.Path(__file__).parent


def viewer(**options: Any) -> gr.HTML:
    """The component; its value is what `describe` returns, or None for the empty frame.

    Args:
        **options: further arguments of `gr.HTML`, such as `elem_id`.
    """
    return gr.HTML(
        html_template=_asset("viewer.html"),
        css_template=_asset("viewer.css"),
        js_on_load=_asset("viewer.js"),
        apply_default_css=False,
        colours=colour_table().tolist(),
        **options,
    )


def describe(caption: Caption) -> dict[str, Any]:
    """What the browser needs to show a caption.

    Returns:
        JSON-ready: `photo`, a file of Gradio's cache (upright, without metadata, at most 1600 pixels long); `size`
        (width, height) of the picture; `box`, the part of the picture that the masks cover, as fractions of its width
        and height; `peak`, the one scale of all masks; `sentence`; `words` with text, probability, alternatives, mask.
    """
    width, height = caption.size
    left, top, right, bottom = view_box(caption.size, caption.resize)
    return {
        "photo": FileData(path=_cached_photo(caption), mime_type="image/jpeg").model_dump(),
        "size": [width, height],
        "box": [left / width, top / height, right / width, bottom / height],
        "peak": caption.peak,
        "sentence": caption.sentence,
        "words": [_describe_word(word) for word in caption.words],
    }


def _describe_word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "probability": word.probability,
        "alternatives": [list(pair) for pair in word.alternatives],
        "mask": [[float(f"{value:.4g}") for value in row] for row in word.mask.tolist()],
    }


def _cached_photo(caption: Caption) -> str:
    """Path of a copy that every browser shows the same way, whatever the format and turn of the original."""
    photo = caption.image()
    photo.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    data = io.BytesIO()
    photo.save(data, "JPEG", quality=90)
    return save_bytes_to_cache(data.getvalue(), "photo.jpg", get_upload_folder())


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
