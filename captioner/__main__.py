"""python -m captioner PHOTO…: captions on stdout, one line each for what could not be read on stderr."""

from __future__ import annotations

import contextlib
import csv
import enum
import json
import pathlib
import sys
from typing import Annotated

import typer

from captioner import __version__
from captioner.album import options as album
from captioner.album.finding import read_list
from captioner.album.run import Request
from captioner.album.session import Places, caption_photos, write_captions
from captioner.album.session import undo as take_back
from captioner.album.summary import Summary
from captioner.album.wording import Wording
from captioner.asking import BeamWidth, Debug, Model, Runs, Set, begin, decoding, end, request_of
from captioner.errors import CaptionerError, ConfigError, ImageError, one_line
from captioner.progress import working
from captioner.requiring import Photo

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
    photos: Annotated[
        list[str] | None, typer.Argument(help="Pictures, and folders of them.", show_default=False)
    ] = None,
    model: Model = "models/photos",
    runtime: Runs = "auto",
    beam_width: BeamWidth = 5,
    set: Set = None,
    format: Annotated[
        Format | None, typer.Option(help="How captions are printed; text without --write.", show_default=False)
    ] = None,
    masks: Annotated[
        pathlib.Path | None, typer.Option(help="Folder for a picture of every word's mask.", show_default=False)
    ] = None,
    listed: album.Listed = None,
    include: album.Include = None,
    exclude: album.Exclude = None,
    write: album.Write = None,
    out: album.Out = None,
    existing: album.WhatOfExisting = album.Existing.skip,
    dry_run: album.DryRun = False,
    watch: album.Watch = False,
    undo: album.Undo = False,
    prefix: album.Prefix = "",
    suffix: album.Suffix = "",
    forbid: album.Forbid = None,
    require: album.Require = None,
    neutral: album.Neutral = False,
    max_characters: album.MaxCharacters = None,
    min_confidence: album.MinConfidence = None,
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Caption photos. `captioner alt SITE` fills in alternative texts, `captioner models` lists models,
    `captioner push MODEL hf://USER/NAME` uploads one.

    Exit status 0: every picture has a caption; 1: some could not be read, the rest is done; 2: wrong usage.
    """
    begin(debug)
    try:
        photos = [*(photos or []), *(read_list(listed) if listed else [])]
        if not photos and not (undo and out):
            raise ConfigError("no pictures were given; name photos or a folder, or a list of them with --list")
        places = Places(photos, include or [], exclude or [], write or [], out, dry_run, watch)
        if undo:
            summary = take_back(places)
        else:
            wording = Wording(prefix, suffix, max_characters, min_confidence)
            options = decoding(beam_width, set, forbid, neutral)
            request = request_of(model, options, require, wording, existing)
            summary = _run(places, (model, runtime), request, format, masks)
        sys.stdout.flush()
    except (CaptionerError, OSError, MemoryError, KeyboardInterrupt) as error:
        if debug:
            raise
        raise typer.Exit(end(error)) from None
    if summary.interrupted:
        raise typer.Exit(130)
    raise typer.Exit(1 if summary.failed else 0)


def _run(places: Places, model: tuple[str, str], request: Request, format: Format | None, masks) -> Summary:
    waiting = contextlib.ExitStack()

    def load():
        # The first caption is waited for as well: Keras compiles the network for it.
        waiting.enter_context(working(f"Loading {model[0]}, reading the first photo"))
        from captioner.captioner import Captioner

        return Captioner.from_pretrained(*model)

    write = None if places.write and format is None else _Writer(format or Format.text, request.wording)
    stems: dict[str, int] = {}

    def show(photo: Photo, answer) -> bool:
        waiting.close()
        if write:
            write.row(photo, answer)
        return not masks or _save_masks(answer, masks, pathlib.Path(photo).stem, stems)

    if places.watch and not places.write:
        raise ConfigError("--watch writes what arrives; say where to with --write")
    with waiting:
        summary = (write_captions if places.write else caption_photos)(places, request, load, show)
    if write:
        write.close()
    return summary


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

    def __init__(self, format: Format, wording: Wording):
        self.format, self.wording, self.rows = format, wording, []
        if format is Format.csv:
            self.csv = csv.writer(_Lines())
            self.csv.writerow(["image", "caption", "score", "confidence", "sure"])

    def row(self, photo: Photo, caption) -> None:
        text, sentence = self.wording.caption(caption.text), self.wording.alt_text(caption.text)
        row = {"image": str(photo), **caption.to_dict(), "text": text, "sentence": sentence}
        if self.format is Format.text:
            unsure = "\tnot sure" if caption.sure is False else ""
            print(f"{one_line(str(photo))}\t{text}{unsure}", flush=True)
        elif self.format is Format.csv:
            confidence = "" if caption.confidence is None else f"{caption.confidence:.4f}"
            self.csv.writerow([str(photo), text, f"{caption.score:.4f}", confidence, caption.sure])
        elif self.format is Format.jsonl:
            print(json.dumps(row), flush=True)
        else:
            self.rows.append(row)

    def close(self) -> None:
        if self.format is Format.json:
            print(json.dumps(self.rows, indent=1))


def main() -> None:
    """The `captioner` command; a photo or a folder that is called as a command of ours is written ./alt."""
    if sys.argv[1:2] == ["alt"]:
        from captioner.alt import app as alt

        return alt(sys.argv[2:], prog_name="captioner alt")
    if sys.argv[1:2] not in (["models"], ["push"]):
        return app()
    from captioner.commands import app as commands

    return commands()


if __name__ == "__main__":
    main()
