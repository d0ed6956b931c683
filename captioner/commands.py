"""captioner models and captioner push: what is installed, and how it gets to others."""

from __future__ import annotations

import pathlib
import sys
from typing import Annotated

import typer

from captioner.errors import CaptionerError, one_line
from captioner.folders.finding import find_model, installed_models
from captioner.folders.folder import has_graphs, read_card, read_common, verify
from captioner.folders.hub import fetched_models, push
from captioner.progress import working

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command("models")
def list_models() -> None:
    """List the models that are installed or were fetched: name, words, what runs them, size, folder."""
    found = {folder.name: folder for folder in installed_models()} | fetched_models()
    for name, folder in found.items():
        print(one_line(f"{name}: {_told(folder)}; {folder}"))
    if not found:
        print("captioner: no model is installed; --model takes a folder or hf://USER/NAME", file=sys.stderr)


def _told(folder: pathlib.Path) -> str:
    """What a model is, in a line; why it cannot be used, where it is damaged."""
    try:
        kind = verify(folder)
        config, vocabulary, _ = read_common(folder)
        runs = "onnx, keras" if kind == "keras" and has_graphs(folder) else kind
        lines = (line for line in read_card(folder).splitlines() if line[:1].isalpha())
        about = next(lines, "").split(". ")[0].rstrip(".")
    except CaptionerError as error:
        return f"cannot be used: {error}"
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    about = f"{about[:100]}; " if about else ""
    return f"{about}{len(vocabulary):,} words; {config.encoder.architecture}; runs with {runs}; {size:.1f} MB"


@app.command("push")
def push_model(
    model: Annotated[str, typer.Argument(help="Model folder, or the name of one that is installed.")],
    address: Annotated[str, typer.Argument(help="hf://USER/NAME.")],
    private: Annotated[bool, typer.Option(help="Make a new repository private.")] = False,
) -> None:
    """Upload a model and its card to a hub. HF_TOKEN holds the key to it."""
    try:
        with working(f"Uploading {model}"):
            folder = pathlib.Path(find_model(model))
            print(push(folder.resolve(), address, private))
    except CaptionerError as error:
        print(f"captioner: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    except (OSError, KeyboardInterrupt) as error:
        print(one_line(f"captioner: {error or 'stopped'}"), file=sys.stderr)
        raise typer.Exit(130 if isinstance(error, KeyboardInterrupt) else 1) from None
