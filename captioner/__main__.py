"""python -m captioner PHOTO…: captions on stdout, one line each for what could not be read on stderr."""

from __future__ import annotations

import csv
import enum
import json
import os
import pathlib
import sys
import warnings
from typing import Annotated

import typer

from captioner import __version__
from captioner.config import DecodingOptions
from captioner.errors import CaptionerError, ConfigError, ImageError, one_line
from captioner.quiet import open_stderr, silence_frameworks

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Format(enum.StrEnum):
    text = "text"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"captioner {__version__}")
        raise typer.Exit()


@app.command()
def caption(
    photos: Annotated[list[str], typer.Argument(help="Pictures to caption.", show_default=False)],
    model: Annotated[str, typer.Option(help="Model folder.")] = "models/photos",
    runtime: Annotated[
        str, typer.Option(help="What runs the model: auto, onnx (starts at once), keras or saved_model.")
    ] = "auto",
    beam_width: Annotated[int, typer.Option(help="Hypotheses kept open, 1 to 20.")] = 5,
    set: Annotated[
        list[str] | None,
        typer.Option(help="Another option of decoding: key=value, such as strategy=sample.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="How captions are written.")] = Format.text,
    masks: Annotated[
        pathlib.Path | None, typer.Option(help="Folder for a picture of every word's mask.", show_default=False)
    ] = None,
    debug: Annotated[bool, typer.Option(help="Show the whole story of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Caption photos.

    Exit status 0: every picture has a caption; 1: some could not be read, the rest is done; 2: wrong usage.
    """
    open_stderr()
    if sys.stdout is None:
        print("captioner: cannot write: stdout is closed", file=sys.stderr)
        raise typer.Exit(1)
    if not debug:
        silence_frameworks()
        warnings.simplefilter("ignore")  # what Pillow says of damaged files; those that matter are refused
    sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace")
    try:
        failed = _run(photos, (model, runtime), _options(beam_width, set), format, masks)
        sys.stdout.flush()
    except (CaptionerError, OSError, MemoryError, KeyboardInterrupt) as error:
        if debug:
            raise
        raise typer.Exit(_end(error)) from None
    raise typer.Exit(1 if failed else 0)


def _end(error: BaseException) -> int:
    """Say in one line why nothing more comes; returns the exit status."""
    if isinstance(error, CaptionerError):
        print(f"captioner: {error}", file=sys.stderr)
        return 2
    # Whatever is left for stdout has nowhere to go, and Python would complain of it when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, KeyboardInterrupt):
        return 130
    if not isinstance(error, BrokenPipeError):  # whoever read along has seen enough: nothing to tell
        reason = "there is not enough memory" if isinstance(error, MemoryError) else f"cannot write: {error.strerror}"
        print(one_line(f"captioner: {reason}"), file=sys.stderr)
    return 1


def _options(beam_width: int, changes: list[str] | None) -> dict:
    """Options of decoding; lists of words are words with blanks between them, numbers and null are JSON."""
    options = {"beam_width": beam_width}
    for change in changes or []:
        key, equals, text = change.partition("=")
        if not equals:
            raise ConfigError(f"--set takes key=value. Received: {change!r}")
        try:
            options[key] = json.loads(text)
        except (ValueError, RecursionError):
            options[key] = text
    return options


def _run(photos, model, options, format, masks) -> int:
    if DecodingOptions.parse(options).count > 1:  # before a framework is loaded, which takes seconds
        raise ConfigError(f"this command writes one caption a photo; leave count out. Received: {options['count']!r}")
    from captioner.captioner import Captioner

    captioner = Captioner.from_pretrained(*model)
    write = _Writer(format)
    failed = 0
    stems: dict[str, int] = {}
    answers = captioner.captions(photos, **options)
    if len(photos) > 1 and sys.stderr.isatty():
        answers = _with_progress(answers, len(photos))
    for photo, answer in zip(photos, answers, strict=True):
        if isinstance(answer, CaptionerError):
            failed += 1
            print(f"captioner: {answer}", file=sys.stderr)
            continue
        write.row(photo, answer)
        if masks and not _save_masks(answer, masks, pathlib.Path(photo).stem, stems):
            failed += 1
    write.close()
    return failed


def _with_progress(answers, total: int):
    """The same answers, with a bar on stderr; captions go to stdout."""
    import rich.console
    import rich.progress

    console = rich.console.Console(stderr=True)
    return rich.progress.track(answers, "captions", total=total, console=console, transient=True)


def _save_masks(caption, folder: pathlib.Path, stem: str, stems: dict[str, int]) -> bool:
    """Whether the masks could be written; if not, a line says why."""
    from captioner import drawing

    stem = stem.strip(".") or "picture"  # the name of a file may be "...jpg", and ".." is another folder
    stems[stem] = stems.get(stem, 0) + 1
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawing.save_masks(caption, folder, stem if stems[stem] == 1 else f"{stem}-{stems[stem]}")
    except (OSError, ConfigError, ImageError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(one_line(f"captioner: masks of {stem} cannot be written to {folder}: {reason}"), file=sys.stderr)
        return False
    return True


class _Lines:
    """Where rows of CSV go: Python before 3.13 quotes a carriage return in a name only where lines end with one."""

    @staticmethod
    def write(row: str) -> None:
        sys.stdout.write(row.removesuffix("\r\n") + "\n")


class _Writer:
    """Captions on stdout in one of the formats."""

    def __init__(self, format: Format):
        self.format, self.rows = format, []
        if format is Format.csv:
            self.csv = csv.writer(_Lines())
            self.csv.writerow(["image", "caption", "score"])

    def row(self, photo: str, caption) -> None:
        if self.format is Format.text:
            print(f"{one_line(photo)}\t{caption.text}", flush=True)
        elif self.format is Format.csv:
            self.csv.writerow([photo, caption.text, f"{caption.score:.4f}"])
        elif self.format is Format.jsonl:
            print(json.dumps({"image": photo, **caption.to_dict()}), flush=True)
        else:
            self.rows.append({"image": photo, **caption.to_dict()})

    def close(self) -> None:
        if self.format is Format.json:
            print(json.dumps(self.rows, indent=1))


def main() -> None:
    """The `captioner` command."""
    app()


if __name__ == "__main__":
    main()
