"""python -m training.prepare SOURCE --out DATA: read a published layout, write the one that training reads."""

from __future__ import annotations

import collections
import pathlib
from typing import Annotated

import rich
import typer

from captioner.errors import DatasetError
from training import commands, shapes
from training.datasets import SPLITS, read_dataset, read_flickr8k, write_dataset


def prepare(source: str, out: pathlib.Path) -> None:
    """Write `out`/captions.jsonl from a source.

    Args:
        source: "flickr8k:IMAGES:TOKEN_FILE:SPLIT_FOLDER", or "shapes" for generated pictures.
        out: folder of the data set.

    Raises:
        DatasetError: an unknown source, or one that cannot be read.
    """
    kind, *parts = source.split(":")
    if kind == "shapes" and not parts:
        shapes.write_shapes(out)
    elif kind == "flickr8k" and len(parts) == 3:
        write_dataset(read_flickr8k(*map(pathlib.Path, parts)), out)
    else:
        raise DatasetError(f"a source is flickr8k:IMAGES:TOKEN_FILE:SPLIT_FOLDER or shapes. Received: {source}")


def main(
    source: Annotated[str, typer.Argument(help="flickr8k:IMAGES:TOKEN_FILE:SPLIT_FOLDER, or shapes.")],
    out: Annotated[pathlib.Path, typer.Option(help="Folder of the data set.")],
) -> None:
    """Make a data set ready for training."""
    prepare(source, out)
    examples = read_dataset(out)
    pictures = collections.Counter(example.split for example in examples)
    captions = sum(len(example.captions) for example in examples)
    rich.print(f"{out}: " + ", ".join(f"{pictures[s]} {s}" for s in SPLITS) + f" pictures, {captions} captions")


if __name__ == "__main__":
    commands.run(main)
