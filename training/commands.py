"""Shared by the commands of training: an error of ours is one line and exit status 2."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

import typer

from captioner.errors import CaptionerError
from captioner.quiet import silence_frameworks


def run(command: Callable[..., None]) -> None:
    """Run a function as a command line."""

    @functools.wraps(command)
    def guarded(*args, **kwargs):
        silence_frameworks()
        try:
            command(*args, **kwargs)
        except CaptionerError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(2) from None

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(guarded)
    app()
