"""The photos that a data set lacks, kept in a temporary file: eight bytes of each stay in memory."""

from __future__ import annotations

import array
import dataclasses
import hashlib
import itertools
import json
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from captioner.cluster.listing import Photo
from captioner.cluster.output import key_of


@dataclasses.dataclass(frozen=True)
class Shard:
    """Photos that are one task, and one file of the data set.

    Attributes:
        name: of the file; the same photos have the same name.
        photos: the fields of each `Photo`, as JSON.
    """

    name: str
    photos: str


class Missing:
    """Photos that are wanted and not done, each once. Use it as a context manager.

    Args:
        photos: those that are wanted.
        done: keys of those that are done, sorted: uint64 (photos,).

    Attributes:
        total: how many photos are wanted.
        count: how many of them are missing.
    """

    def __init__(self, photos: Iterable[Photo], done: np.ndarray):
        # Closed when this object is left.
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
        try:
            self._wanted = self._write(photos)
        except BaseException:
            self._file.close()
            raise
        keys = self._wanted
        first = np.zeros(len(keys), bool)
        first[np.unique(keys, return_index=True)[1]] = True
        self.total = int(first.sum())
        at = np.minimum(np.searchsorted(done, keys), max(len(done) - 1, 0))
        self._wanted = first & (done[at] != keys) if len(done) else first
        self.count = int(self._wanted.sum())

    def _write(self, photos: Iterable[Photo]) -> np.ndarray:
        keys = array.array("Q")
        for photo in photos:
            self._file.write(json.dumps(dataclasses.astuple(photo)) + "\n")
            keys.append(key_of(photo.name))
        return np.array(keys, np.uint64)

    def shards(self, size: int) -> Iterator[Shard]:
        """Shards of at most so many photos, in the order in which the photos were given."""
        self._file.seek(0)
        lines = (line.strip() for line, wanted in zip(self._file, self._wanted, strict=True) if wanted)
        while part := list(itertools.islice(lines, size)):
            photos = f"[{','.join(part)}]"
            yield Shard(f"captions-{hashlib.sha256(photos.encode()).hexdigest()[:32]}.parquet", photos)

    def __enter__(self) -> Missing:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
