"""captioner alt SITE: alternative texts for the pictures of a site that have none."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from captioner.album import options as album
from captioner.album.session import Places, fill_site
from captioner.album.session import undo as take_back
from captioner.album.wording import Wording
from captioner.asking import BeamWidth, Debug, Model, Runs, Set, begin, decoding, end, request_of
from captioner.errors import CaptionerError
from captioner.progress import working

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def alt(
    sites: Annotated[
        list[str], typer.Argument(help="Folders of pages, and pages: HTML and Markdown.", metavar="SITE...")
    ],
    model: Model = "models/photos",
    runtime: Runs = "auto",
    beam_width: BeamWidth = 5,
    set: Set = None,
    include: album.Include = None,
    exclude: album.Exclude = None,
    out: album.Journal = None,
    keep_empty: album.KeepEmpty = False,
    dry_run: album.DryRun = False,
    diff: album.Diff = False,
    undo: album.Undo = False,
    prefix: album.Prefix = "",
    suffix: album.Suffix = "",
    forbid: album.Forbid = None,
    neutral: album.Neutral = False,
    require: album.Require = None,
    max_characters: album.MaxCharacters = None,
    min_confidence: album.MinConfidence = None,
    debug: Debug = False,
) -> None:
    """Fill in the alternative texts that are missing or empty, of pictures whose files lie in the site.

    Every other byte of the pages stays. Exit status as of `captioner`.
    """
    begin(debug)
    try:
        places = Places(sites, include or [], exclude or [], out=out, dry_run=dry_run)
        if undo:
            summary = take_back(places)
        else:
            wording = Wording(prefix, suffix, max_characters, min_confidence)
            request = request_of(model, decoding(beam_width, set, forbid, neutral), require, wording)

            def load():
                with working(f"Loading {model}"):
                    from captioner.captioner import Captioner

                    return Captioner.from_pretrained(model, runtime)

            summary = fill_site(places, request, load, keep_empty, sys.stdout.write if diff else None)
        sys.stdout.flush()
    except (CaptionerError, OSError, MemoryError, KeyboardInterrupt) as error:
        if debug:
            raise
        raise typer.Exit(end(error)) from None
    if summary.interrupted:
        raise typer.Exit(130)
    raise typer.Exit(1 if summary.failed else 0)
