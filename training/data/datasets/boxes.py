"""True places of words (Flickr30k Entities, Plummer et al. 2015).

{image file name: [{"text": caption, "phrases": [{"word": i, "type": kind, "boxes": [[left, top, right, bottom]]}]}]}
in shares of the picture, `word` counting the words of text.split().
"""

from __future__ import annotations

import gzip
import json
import pathlib

from captioner.errors import DatasetError


def write_boxes(boxes: dict[str, list[dict]], path: pathlib.Path) -> None:
    """Write boxes of words as gzipped JSON; the layout is this module's docstring's."""
    path.write_bytes(gzip.compress(json.dumps(boxes, separators=(",", ":")).encode(), mtime=0))


def read_boxes(path: str | pathlib.Path) -> dict[str, list[dict]]:
    """Read boxes of words, gzipped or plain JSON.

    Raises:
        DatasetError: the file is missing or not in the layout.
    """
    try:
        data = pathlib.Path(path).read_bytes()
        boxes = json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"cannot read the boxes {path}: {error}") from None
    if not isinstance(boxes, dict):
        raise DatasetError(f"{path}: expected an object with one entry a picture. Received: {type(boxes).__name__}")
    return boxes
