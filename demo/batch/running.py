"""Many photos while they are captioned: started, stopped, and their contact sheets packed."""

from __future__ import annotations

import io
import re
import threading
import zipfile
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pydantic

from captioner import Caption
from captioner.config import Config
from captioner.drawing import contact_sheet
from demo.batch import MAX_FILES, Row, caption_files, describe_row, table_of, to_csv, to_json
from demo.bounds import MAX_LETTERS, given_words
from demo.listeners import errors_for_people
from demo.models import Models
from demo.uploads import uploaded
from demo.viewer import cache_file, message


class CaptionedFile(Config):
    """A row whose contact sheet is wanted: the upload and its caption."""

    photo: dict[str, str | None]
    text: str = pydantic.Field("", max_length=MAX_LETTERS)


class SheetsQuestion(Config):
    """Contact sheets of rows, as the table asks for them."""

    rows: list[CaptionedFile] = pydantic.Field(min_length=1, max_length=MAX_FILES)
    model: str = ""


class Batches:
    """The functions behind the table.

    Args:
        models: what the page offers.
    """

    def __init__(self, models: Models):
        self.models = models
        self._stops: dict[str, threading.Event] = {}  # of the batches that run, by their visitor

    def start(self, photos: list[dict[str, Any]] | None, model: str, request: gr.Request) -> Iterator[tuple]:
        """Caption several photos: the table as it grows, in the end CSV and JSON of what was captioned."""
        visitor, stop = request.session_hash or "", threading.Event()
        self._stops[visitor] = stop
        rows: list[Row] = []
        shown: list[dict[str, Any]] = []
        try:
            with errors_for_people(None):
                total = len(photos or [])
                yield table_of([], total, model, True), gr.skip(), gr.skip()
                for row in caption_files(self.models[model], photos):
                    rows.append(row)
                    shown.append(describe_row(row, photos[len(rows) - 1]))
                    yield table_of(list(shown), total, model, True), gr.skip(), gr.skip()
                    if stop.is_set():
                        break
        finally:
            if self._stops.get(visitor) is stop:
                del self._stops[visitor]
        as_csv = cache_file(to_csv(rows), "captions.csv", "text/csv")
        as_json = cache_file(to_json(rows), "captions.json", "application/json")
        yield (
            table_of(shown, total, model),
            gr.DownloadButton(value=as_csv.path, interactive=True),
            gr.DownloadButton(value=as_json.path, interactive=True),
        )

    def stop(self, request: gr.Request) -> None:
        """End a visitor's batch after the photos that are being captioned."""
        if stop := self._stops.get(request.session_hash or ""):
            stop.set()

    def sheets(self, event: gr.EventData) -> Iterator[dict[str, Any]]:
        """A ZIP with the contact sheet of every row; on the way, how many are drawn."""
        with errors_for_people(None):
            question = SheetsQuestion.parse(event._data)
            captioner = self.models[question.model]
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as archive:  # stored: JPEG does not get smaller
                for number, row in enumerate(question.rows, 1):
                    caption = captioner.score(uploaded(row.photo), given_words(captioner, row.text))
                    archive.writestr(sheet_name(number, row.photo.get("orig_name")), as_jpeg(caption))
                    yield message("making", done=number, total=len(question.rows))
            file = cache_file(packed.getvalue(), "contact-sheets.zip", "application/zip")
            yield message("file", file=file.model_dump())


def as_jpeg(caption: Caption) -> bytes:
    """The contact sheet of a caption."""
    data = io.BytesIO()
    contact_sheet(caption).save(data, "JPEG", quality=88)
    return data.getvalue()


def sheet_name(number: int, name: str | None) -> str:
    """A name that no archive program stumbles over, in the order of the table."""
    stem = re.sub(r"[^\w-]+", "-", (name or "").rsplit(".", 1)[0])[:60].strip("-")
    return f"{number:03d}-{stem or 'photo'}.jpg"
