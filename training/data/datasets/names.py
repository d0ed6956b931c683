"""Names of pictures as a stranger's file gives them: which can be used, and which lead out of their folder."""

from __future__ import annotations

import os
import pathlib

from training.data.datasets.reading import Reading

LONGEST = 255  # bytes of a file's name, on every file system in use


def keep_usable(reading: Reading, allow_outside: bool = False) -> Reading:
    """Take records out of a reading whose pictures have names that cannot be, or lie outside `reading.images`.

    A name with ".." is resolved by its letters, so that what was looked at is what will be opened. Links are followed:
    they were put there by whoever made the folder, not by a file of captions.

    Args:
        reading: changed in place; what is left out stands in its `faults` and `outside`.
        allow_outside: whether pictures may lie outside.
    """
    root, kept = os.path.abspath(reading.images), []
    for record in reading.records:
        problem = _problem(record.image)
        if problem:
            reading.faults.append((record.image.name[:80], problem))
            continue
        place = os.path.abspath(record.image)
        if ".." in record.image.parts:
            record.image = pathlib.Path(place)
        if allow_outside or place.startswith(os.path.join(root, "")):
            kept.append(record)
        else:
            reading.outside.append((record.image.name, os.path.dirname(place)))
    reading.records = kept
    return reading


def _problem(path: pathlib.Path) -> str:
    """Why no file can have this name, or no line of a data set hold it; "" where both can be."""
    try:
        longest = max((len(part.encode()) for part in path.parts), default=0)
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename it"
    if "\0" in str(path):
        return "its name holds a NUL character"
    if longest > LONGEST or len(str(path)) > 4000:
        return f"its name has {longest} bytes, and a file's has {LONGEST} or fewer"
    return ""
