"""Photos that came through the page: which file it was, and what its owner is told when it is no picture."""

from __future__ import annotations

import errno
import functools
import html
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr
import pydantic
from gradio.utils import get_upload_folder, is_in_or_equal

from captioner import CaptionerError
from captioner.errors import one_line
from demo.refusals import NONSENSE

LOG = logging.getLogger("demo")
MAX_NAME = 100  # letters of a file's name, as it is shown


def uploaded(photo: dict[str, Any] | None) -> str:
    """Path of a photo that came through the page.

    Gradio 6.31 compares a path with its upload folder only if it comes marked as a file, and gr.Image lets one that is
    not marked through; a request made by hand could name any picture of the server.

    Args:
        photo: what the browser sent for a `gr.Image`, not preprocessed.

    Raises:
        gradio.Error: there is no photo, it lies outside the upload folder, or it has been removed there.
    """
    path = photo.get("path") if isinstance(photo, dict) else None
    if not path or not isinstance(path, str):
        raise gr.Error("Choose a photo first, or one of the examples.", print_exception=False)
    try:
        if is_in_or_equal(path, get_upload_folder()) and os.path.isfile(path):
            return path
        gone = is_in_or_equal(path, get_upload_folder())
    except (OSError, ValueError):  # no name that a file can have
        gone = False
    message = (
        "That photo is no longer here; upload it again." if gone else "That photo was not uploaded; upload it first."
    )
    raise gr.Error(message, print_exception=False)


def own_name(photo: dict[str, Any], otherwise: str = "the photo") -> str:
    """The name that its owner gave a photo, of bounded length."""
    name = photo.get("orig_name")
    name = name if name and isinstance(name, str) else otherwise
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}…"


def explain(error: CaptionerError, photo: dict[str, Any]) -> str:
    """The message of an error in which the photo has the name that its owner gave it."""
    return str(error).replace(one_line(photo["path"]), one_line(own_name(photo)))


def readable(error: Exception, photo: dict[str, Any] | None) -> gr.Error:
    """The error for the page, whatever happened: words that help, the photo's own name, and text instead of markup."""
    if isinstance(error, gr.Error):
        return error
    if isinstance(error, CaptionerError):
        known = isinstance(photo, dict) and isinstance(photo.get("path"), str)
        text = explain(error, photo) if known else str(error)
    elif isinstance(error, pydantic.ValidationError):  # Gradio's own reading of what the page sends
        text = NONSENSE.text
    elif isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
        text = "The server has no room for this at the moment; try again later."
    else:
        LOG.error("an answer failed: %s", one_line(f"{type(error).__name__}: {error}"))
        LOG.debug("", exc_info=error)
        text = "Something went wrong on the server; try another photo or other settings."
    return gr.Error(html.escape(text, quote=False), print_exception=False)


def in_words(process: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Gradio's way to answer a question, with words for whatever goes wrong there; its own would be `null`."""

    @functools.wraps(process)
    async def answer(*args: Any, **kwargs: Any) -> Any:
        try:
            return await process(*args, **kwargs)
        except Exception as error:
            raise readable(error, None) from None

    return answer
