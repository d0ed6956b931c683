"""Photos that came through the page: which file it was, and what its owner is told when it is no picture."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder, is_in_or_equal

from captioner import CaptionerError


def uploaded(photo: dict[str, Any] | None) -> str:
    """Path of a photo that came through the page.

    Gradio 6.31 compares a path with its upload folder only if it comes marked as a file, and gr.Image lets one that is
    not marked through; a request made by hand could name any picture of the server.

    Args:
        photo: what the browser sent for a `gr.Image`, not preprocessed.

    Raises:
        gradio.Error: there is no photo, or it lies outside the upload folder.
    """
    path = (photo or {}).get("path")
    if not path:
        raise gr.Error("Choose a photo first, or one of the examples.", print_exception=False)
    if not is_in_or_equal(path, get_upload_folder()):
        raise gr.Error("That photo was not uploaded; upload it first.", print_exception=False)
    return path


def explain(error: CaptionerError, photo: dict[str, Any]) -> str:
    """The message of an error in which the photo has the name that its owner gave it."""
    return str(error).replace(photo["path"], photo.get("orig_name") or "the photo")


def readable(error: CaptionerError, photo: dict[str, Any]) -> gr.Error:
    """The error for the page: it names the photo as its owner does, and is text where Gradio would render markup."""
    return gr.Error(html.escape(explain(error, photo)), print_exception=False)
