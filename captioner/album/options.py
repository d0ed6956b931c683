"""Options of the command line that are about folders and what is written; their help is all they hold."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from captioner.album.run import Existing

WRITING, WORDS = "Writing captions", "Words to your taste"


def _option(*names: str, help: str, panel: str = WRITING, **more):
    return typer.Option(*names, help=help, show_default=False, rich_help_panel=panel, **more)


Listed = Annotated[str | None, _option("--list", help="File of paths, a line each; - is stdin.", panel="Folders")]
Include = Annotated[list[str] | None, _option("--include", help="Only files that fit a pattern.", panel="Folders")]
Exclude = Annotated[list[str] | None, _option("--exclude", help="No files that fit a pattern.", panel="Folders")]
Watch = Annotated[bool, _option("--watch", help="Go on as photos arrive, until Ctrl-C.", panel="Folders")]

Write = Annotated[list[str] | None, _option("--write", help="Where captions go: txt, xmp, metadata, csv, jsonl, html.")]
Out = Annotated[pathlib.Path | None, _option("--out", help="Folder of csv, jsonl, html and of the journal.")]
WhatOfExisting = Annotated[Existing, _option("--existing", help="What becomes of captions of others.")]
DryRun = Annotated[bool, _option("--dry-run", help="Show what would be written, and write nothing.")]
Undo = Annotated[bool, _option("--undo", help="Put back what the last run replaced.")]

Journal = Annotated[pathlib.Path | None, _option("--out", help="Folder of the journal; the site unless given.")]
KeepEmpty = Annotated[bool, _option("--keep-empty", help='Leave alt="" alone: the picture is decoration.')]
Diff = Annotated[bool, _option("--diff", help="Show the differences of each page.")]

Prefix = Annotated[str, _option("--prefix", help="Stands before every caption.", panel=WORDS)]
Suffix = Annotated[str, _option("--suffix", help="Stands behind every caption.", panel=WORDS)]
Forbid = Annotated[list[str] | None, _option("--forbid", help="Words that no caption holds.", panel=WORDS)]
Neutral = Annotated[bool, _option("--neutral", help="Person for man and woman, child for boy and girl.", panel=WORDS)]
Require = Annotated[list[str] | None, _option("--require", help="One of these is held: dog|puppy.", panel=WORDS)]
MaxCharacters = Annotated[int | None, _option("--max-characters", help="Longest caption, in letters.", panel=WORDS)]
MinConfidence = Annotated[float | None, _option("--min-confidence", help="Below it nothing is written.", panel=WORDS)]
