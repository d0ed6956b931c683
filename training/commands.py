"""Shared by the commands of training: an error of ours, and a full disk, is one line and exit status 2."""

from __future__ import annotations

import errno
import functools
import logging
import sys
import warnings
from collections.abc import Callable

import typer

from captioner.errors import CaptionerError
from captioner.quiet import silence_frameworks


def run(command: Callable[..., None]) -> None:
    """Run a function as a command line."""

    @functools.wraps(command)
    def guarded(*args, **kwargs):
        silence_frameworks()
        silence_pillow()
        try:
            command(*args, **kwargs)
        except CaptionerError as error:
            _end(str(error))
        except OSError as error:
            if not _disk_is_full(error):
                raise
            where = f"{error.filename}: " if error.filename else ""
            _end(f"{where}the disk is full; make room and give the same command again, it goes on where it stopped")

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(guarded)
    app()


def silence_pillow() -> None:
    """Keep off stderr what Pillow warns and logs of odd files: those that cannot be used are refused by name."""
    warnings.filterwarnings("ignore", module=r"PIL\b")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def _end(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise typer.Exit(2) from None


def _disk_is_full(error: OSError) -> bool:
    """Whether a write failed for want of room; HDF5 says so in its text alone."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return error.errno in full or any(f"errno = {number}" in str(error) for number in full)
