"""Captions whose letters went wrong on the way."""

from __future__ import annotations

import re

RUN = re.compile(r"[^\x00-\x7f]{2,}")  # what is left of a letter that was encoded twice holds no ASCII
FIRST = "ÂÃ"  # how the letters of western Europe begin after it


def mend_twice_encoded(text: str) -> str:
    """ "Gebäude" for "GebÃ¤ude": UTF-8 that was read as Windows-1252 (or Latin-1) and written as UTF-8 again.

    A run of letters is mended where all of it is whole UTF-8 once more. Two letters have to begin as those of western
    Europe do, since in "ALLÉ»" two that belong there happen to be UTF-8 as well.
    """
    return RUN.sub(_mended, text)


def _mended(match: re.Match) -> str:
    run = match.group()
    try:
        once = b"".join(map(_byte, run)).decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError):
        return run
    return once if run[0] in FIRST or len(run) > 2 else run


def _byte(letter: str) -> bytes:
    """Of Windows-1252, and of Latin-1 where that has none."""
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin-1")
