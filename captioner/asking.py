"""What `captioner` and `captioner alt` share: options of a model, how a command begins, and how it ends."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from captioner.album.run import Existing, Request
from captioner.album.session import model_version
from captioner.album.wording import Wording
from captioner.config import DecodingOptions, read_changes
from captioner.errors import CaptionerError, ConfigError, one_line
from captioner.progress import working
from captioner.quiet import open_stderr, silence_frameworks
from captioner.requiring import parse_groups

Model = Annotated[str, typer.Option(help="Model folder, a name of `captioner models`, or hf://USER/NAME.")]
Runs = Annotated[str, typer.Option(help="What runs the model: auto, onnx (starts at once), keras or saved_model.")]
BeamWidth = Annotated[int, typer.Option(help="Hypotheses kept open, 1 to 20.")]
Set = Annotated[
    list[str] | None,
    typer.Option(help="Another option of decoding: key=value, such as strategy=sample.", show_default=False),
]
Debug = Annotated[bool, typer.Option(help="Show the whole story of an error.")]


def begin(debug: bool) -> None:
    """Make the two streams fit for names of any kind, and frameworks silent."""
    open_stderr()
    if sys.stdout is None:
        print("captioner: cannot write: stdout is closed", file=sys.stderr)
        raise typer.Exit(1)
    if not debug:
        silence_frameworks()
        warnings.simplefilter("ignore")  # what Pillow says of damaged files; those that matter are refused
    sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace")


def end(error: BaseException) -> int:
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


def decoding(beam_width: int, changes: list[str] | None, forbidden: list[str] | None, neutral: bool) -> dict:
    """Options of decoding; lists of words are words with blanks between them."""
    options = {"beam_width": beam_width, **read_changes(changes or [])}
    if forbidden:
        options["forbidden_words"] = " ".join(forbidden).replace(",", " ").replace("|", " ").lower()
    if neutral:
        options["neutral"] = True
    return options


def request_of(model: str, options: dict, require, wording: Wording, existing=Existing.skip) -> Request:
    if DecodingOptions.parse(options).count > 1:  # before a framework is loaded, which takes seconds
        raise ConfigError(f"this command writes one caption a photo; leave count out. Received: {options['count']!r}")
    with working(f"Finding {model}"):
        version = model_version(model)
    return Request(version, options, parse_groups(require or []), wording, existing)
