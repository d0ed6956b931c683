"""Where captions can be written: beside the photo, into it, or into one file for all."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from captioner.album.ledger import Ledger
from captioner.album.targets.base import Target
from captioner.album.targets.beside import Text
from captioner.album.targets.metadata import Metadata, Sidecar
from captioner.album.targets.page import Page
from captioner.album.targets.tables import Lines, Table
from captioner.errors import CaptionerError, ConfigError

TARGETS: dict[str, type[Target]] = {target.name: target for target in (Text, Sidecar, Metadata, Table, Lines, Page)}


def target_names(names: Sequence[str]) -> list[str]:
    """Names of targets, each once; several may stand in one, with commas between them.

    Raises:
        ConfigError: there is no such target.
    """
    chosen = dict.fromkeys(part.strip() for name in names for part in name.split(",") if part.strip())
    for name in chosen:
        if name not in TARGETS:
            raise ConfigError(f"captions are written to {', '.join(TARGETS)}. Received: {name!r}")
    return list(chosen)


def make_targets(names: Sequence[str], folder: pathlib.Path, ledger: Ledger) -> list[Target]:
    """The targets of these names.

    Args:
        names: as in `target_names`.
        folder: the output folder.
        ledger: its memory.

    Raises:
        ConfigError: there is no such target, or its file is there and is another thing.
    """
    made: list[Target] = []
    try:
        for name in target_names(names):
            made.append(TARGETS[name](folder, ledger))
    except CaptionerError:
        for target in made:
            target.close()
        raise
    return made
