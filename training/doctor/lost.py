"""Where a picture that is not there may lie instead."""

from __future__ import annotations

import collections
import functools
import itertools
import pathlib

from training.data.datasets.reading import PICTURES

MOST = 300_000  # files that are looked through


class Lost:
    """Looks for pictures by their names, below the folder where they should be.

    Args:
        root: the folder of pictures; None finds nothing.
    """

    def __init__(self, root: pathlib.Path | None):
        self.root = root

    @functools.cached_property
    def _files(self) -> dict[str, list[pathlib.Path]]:
        """Pictures by their names without suffix, in lower case; read when the first is missing."""
        files = collections.defaultdict(list)
        found = self.root.rglob("*") if self.root and self.root.is_dir() else ()
        for path in itertools.islice(found, MOST):
            if path.suffix.lower() in PICTURES:
                files[path.stem.lower()].append(path)
        return files

    def hint(self, path: pathlib.Path) -> str:
        """What is there instead of `path`, and how it differs; "" where nothing is."""
        alike = self._files.get(path.stem.lower(), [])
        if not alike:
            return ""
        near = min(alike, key=lambda other: (other.name != path.name, other.parent != path.parent, str(other)))
        differs = []
        if near.parent != path.parent:
            differs.append("folder")
        if near.name != path.name:
            differs.append("case of its letters" if near.name.lower() == path.name.lower() else "ending")
        return f"{near.relative_to(self.root).as_posix()} is there: another {' and '.join(differs)}"
