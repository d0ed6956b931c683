"""Many photos at once: a table that grows, and the same as CSV and JSON.

The table is a `gr.HTML` like the viewer: frame.html, look.css and main.js, and its value is the latest
message to it, what `table_of` returns or one of `demo.batch.running`.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import pathlib
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from captioner import Caption, Captioner, CaptionerError, ConfigError
from captioner.pictures.reading import open_image
from demo.uploads import explain, own_name, uploaded
from demo.viewer import cache_photo

MAX_FILES = 200
BATCH_SIZE = 4  # the table grows by so many rows at a time
THUMBNAIL = 192
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet begins to compute at
HERE = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of one file.

    Attributes:
        file: the name its owner gave it.
        caption: None where it could not be read.
        error: why it could not be read.
    """

    file: str
    caption: Caption | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without words and masks."""
        return {
            "file": self.file,
            "caption": self.caption and self.caption.text,
            "confidence": self.caption and math.exp(self.caption.score),
            "error": self.error,
        }


def caption_files(captioner: Captioner, files: list[dict[str, Any]], **options) -> Iterator[Row]:
    """Caption uploads in their order; one that cannot be read is a row with its error.

    Args:
        captioner: the model.
        files: what the browser sent, not preprocessed.
        **options: fields of `DecodingOptions` but count.

    Raises:
        ConfigError: there are no files or too many, or an option is out of range.
        gradio.Error: one of them was not uploaded.
    """
    if files and not isinstance(files, list):
        raise ConfigError(f"photos come as a list. Received: {type(files).__name__}")
    if not 0 < len(files or []) <= MAX_FILES:
        raise ConfigError(f"choose 1 to {MAX_FILES} photos. Received: {len(files or [])}")
    answers = captioner.captions([uploaded(file) for file in files], batch_size=BATCH_SIZE, **options)
    for file, answer in zip(files, answers, strict=True):
        name = own_name(file, pathlib.Path(file["path"]).name)
        if isinstance(answer, CaptionerError):
            yield Row(name, error=explain(answer, {**file, "orig_name": name}).removeprefix(f"{name}: "))
        else:
            yield Row(name, answer)


def table(**options: Any) -> gr.HTML:
    """The component; its value is what `table_of` returns, or None for an empty one.

    Args:
        **options: further arguments of `gr.HTML`, such as `elem_id`.
    """
    read = lambda name: (HERE / name).read_text(encoding="utf-8")
    return gr.HTML(
        html_template=read("frame.html"),
        css_template=read("look.css"),
        js_on_load=read("main.js"),
        apply_default_css=False,
        **options,
    )


def describe_row(row: Row, upload: dict[str, Any]) -> dict[str, Any]:
    """What the table shows of a row.

    Args:
        row: of the table.
        upload: the file that it is about, as the browser sent it.

    Returns:
        JSON-ready: `file`, `text`, `sentence`, `confidence`, `sure` (None where the model is not calibrated), `error`,
        `photo`, small, and `original`, as it was uploaded.
    """
    known: dict[str, Any] = {"file": row.file, "error": row.error}
    if row.caption is None:
        return known | dict.fromkeys(("text", "sentence", "confidence", "sure", "photo", "original"))
    caption = row.caption
    return known | {
        "text": caption.text,
        "sentence": caption.sentence,
        "confidence": math.exp(caption.score) if caption.confidence is None else caption.confidence,
        "sure": caption.sure,
        "photo": cache_photo(open_image(caption.source), THUMBNAIL).model_dump(),
        "original": FileData(path=upload["path"], orig_name=row.file).model_dump(),
    }


def table_of(rows: list[dict[str, Any]], total: int, model: str = "", running: bool = False) -> dict[str, Any]:
    """A message to the table: the rows so far, as `describe_row` made them, of so many, and what wrote them."""
    return {"kind": "rows", "rows": rows, "total": total, "model": model, "running": running}


def to_csv(rows: list[Row]) -> bytes:
    """image, caption, score, confidence, error; with the mark by which spreadsheets know UTF-8.

    A name that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(["image", "caption", "score", "confidence", "error"])
    for row in rows:
        score = row.caption.score if row.caption else None
        numbers = ["", ""] if score is None else [f"{score:.4f}", f"{math.exp(score):.4f}"]
        texts = (row.file, row.caption.text if row.caption else "", row.error or "")
        file, caption, error = (f"'{text}" if text.startswith(FORMULA) else text for text in texts)
        writer.writerow([file, caption, *numbers, error])
    return text.getvalue().encode("utf-8-sig")


def to_json(rows: list[Row]) -> bytes:
    """A list of {"image", …} as `python -m captioner --format json` writes it; {"image", "error"} for the others."""
    found = [{"image": row.file, **(row.caption.to_dict() if row.caption else {"error": row.error})} for row in rows]
    return json.dumps(found, indent=1, ensure_ascii=False).encode()
