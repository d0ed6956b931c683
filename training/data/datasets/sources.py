"""The SOURCE of training.prepare: which layout, and where its parts lie."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

from captioner.errors import DatasetError
from training.data.datasets.coco import read_coco, read_karpathy
from training.data.datasets.flickr import read_flickr
from training.data.datasets.names import keep_usable
from training.data.datasets.reading import Reading
from training.data.datasets.tables import read_folder, read_json_lines, read_table

read_tsv = functools.partial(read_table, delimiter="\t")

# Name of a layout: what follows it, and its reader. A bracket may be left out.
LAYOUTS: dict[str, tuple[str, Callable[..., Reading]]] = {
    "flickr8k": ("IMAGES:CAPTIONS[:SPLIT_FOLDER]", read_flickr),
    "flickr30k": ("IMAGES:CAPTIONS[:SPLIT_FOLDER]", read_flickr),
    "coco": ("IMAGES:ANNOTATIONS", read_coco),
    "karpathy": ("IMAGES:FILE", read_karpathy),
    "csv": ("FILE[:IMAGES]", read_table),
    "tsv": ("FILE[:IMAGES]", read_tsv),
    "jsonl": ("FILE[:IMAGES]", read_json_lines),
    "folder": ("FOLDER", read_folder),
}
SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl"}


def describe_layouts() -> str:
    """All that a source may be, in one line."""
    named = ", ".join(f"{name}:{parts}" for name, (parts, _) in LAYOUTS.items())
    return f"{named}, a FILE.csv, .tsv or .jsonl, a folder, or shapes"


def read_source(source: str, allow_outside: bool = False) -> Reading:
    """Read a data set in its published layout.

    Args:
        source: "flickr8k:IMAGES:Flickr8k.token.txt:SPLIT_FOLDER", say; see `LAYOUTS`. A bare path is a table by its
            suffix, or a folder of pictures with text files.
        allow_outside: take pictures that do not lie in the folder of pictures, too.

    Raises:
        DatasetError: an unknown layout, the wrong number of parts, or a file that cannot be read.
    """
    kind, *parts = source.split(":")
    if kind not in LAYOUTS and not parts:
        path = pathlib.Path(source)
        kind, parts = SUFFIXES.get(path.suffix.lower(), "folder" if path.is_dir() else ""), [source]
    if kind in LAYOUTS:
        pattern, read = LAYOUTS[kind]
        required, _, optional = pattern.partition("[")
        most = len(required.split(":")) + optional.count(":")
        if all(parts) and len(required.split(":")) <= len(parts) <= most:
            paths = list(map(pathlib.Path, parts))
            reading = read(*paths)
            reading.images = paths[-1] if pattern.startswith("FILE") and len(paths) > 1 else paths[0]
            if pattern.startswith("FILE") and len(paths) == 1:
                reading.images = paths[0].parent
            return keep_usable(reading, allow_outside)
    raise DatasetError(f"a source is one of {describe_layouts()}. Received: {source}")
