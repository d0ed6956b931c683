"""What an actor of Ray does: it holds one captioner, and turns a list of photos into a file of captions."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import json
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute
from pyarrow import parquet as pq

from captioner.caption import Caption
from captioner.captioner import Captioner
from captioner.cluster.listing import Photo
from captioner.cluster.model_parcel import unpack
from captioner.cluster.output import Output, as_table
from captioner.cluster.stores import Place
from captioner.errors import CaptionerError, ImageError, one_line
from captioner.pictures.reading import MAX_BYTES

BATCH = 16  # photos that go through the network together
FETCHERS = 8  # photos that are fetched from far away at once
PAUSES = (0.0, 1.0, 4.0)  # seconds before each try to fetch one


@dataclasses.dataclass(frozen=True)
class Job:
    """What every worker of a job knows.

    Attributes:
        out: where captions go.
        id: what `Output.open` returned.
        model, version: the model's name and what tells it from others of that name.
        runtime, threads: what runs it, with so many threads.
        options: fields of `DecodingOptions`.
        masks: whether masks are kept.
    """

    out: str
    id: str
    model: str
    version: str
    runtime: str
    threads: int
    options: dict[str, Any]
    masks: bool


class Worker:
    """Captions shards: the class that Ray Data makes an actor of.

    Args:
        job: what to do.
        parcel: the model's folder.
        load: reads a model folder.
    """

    def __init__(self, job: Job, parcel: bytes, load: Callable[..., Captioner] = Captioner.from_pretrained):
        self._job, self._output = job, Output(job.out)
        self._captioner = load(unpack(job.model, parcel, job.version), job.runtime, job.threads)

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What became of shards: their names, photos and errors.

        A shard that was written before, by a worker that died before it could say so, is only counted.
        """
        counts = []
        for name, photos in zip(batch["name"], batch["photos"], strict=True):
            if not self._output.has(name):
                self._write(name, [Photo(*fields) for fields in json.loads(photos)])
            counts.append(self._output.rows(name))
        return {
            "name": batch["name"],
            "photos": np.array([n for n, _ in counts]),
            "errors": np.array([n for _, n in counts]),
        }

    def _write(self, name: str, photos: Sequence[Photo]) -> None:
        job = self._job
        table = as_table(self.answers(photos), job.model, job.version, job.masks)
        self._output.write(name, table, job.id)

    def answers(self, photos: Sequence[Photo]) -> Iterator[tuple[str, Caption | CaptionerError]]:
        """Photos by name, each with its caption or the error that it gave, in their order."""
        waiting: collections.deque[tuple[Photo, Any]] = collections.deque()

        def sources() -> Iterator[Any]:
            for photo, source in fetched(photos):
                waiting.append((photo, source))
                # An empty picture stands in for one that could not be fetched, so that answers stay in order.
                yield b"" if isinstance(source, CaptionerError) else source

        for answer in self._captioner.captions(sources(), BATCH, **self._job.options):
            photo, source = waiting.popleft()
            yield photo.name, _named(answer, photo, source)


def _named(answer: Caption | CaptionerError, photo: Photo, source: Any) -> Caption | CaptionerError:
    """The answer to a photo; an error of bytes tells whose they are."""
    if isinstance(source, CaptionerError):
        return source
    if isinstance(answer, CaptionerError) and isinstance(source, bytes):
        return ImageError(str(answer).replace(f"{len(source)} bytes", one_line(photo.name), 1))
    return answer


def fetched(photos: Sequence[Photo]) -> Iterator[tuple[Photo, pathlib.Path | bytes | CaptionerError]]:
    """Photos, each with its path if it is a file of this machine, else with its bytes, fetched some ahead of time."""
    tables = Tables()
    with concurrent.futures.ThreadPoolExecutor(FETCHERS) as fetchers:
        coming: collections.deque[tuple[Photo, concurrent.futures.Future]] = collections.deque()
        for photo in photos:
            coming.append((photo, fetchers.submit(_fetch, photo, tables)))
            if len(coming) >= 2 * FETCHERS:
                first, future = coming.popleft()
                yield first, future.result()
        while coming:
            first, future = coming.popleft()
            yield first, future.result()


def _fetch(photo: Photo, tables: Tables) -> pathlib.Path | bytes | CaptionerError:
    if photo.row < 0 and photo.place.is_local:
        return pathlib.Path(photo.place.path)
    for pause in PAUSES:
        time.sleep(pause)
        try:
            return tables.read(photo) if photo.row >= 0 else _read(photo.place)
        except CaptionerError as error:
            return error
        except (OSError, ValueError, pyarrow.ArrowException) as error:
            failed = ImageError(f"{photo.name}: cannot be read: {one_line(str(error).split(chr(10))[0])}")
            if isinstance(error, FileNotFoundError):
                break
    return failed


def _read(place: Place) -> bytes:
    with place.files.open_input_file(place.inner) as file:
        if file.size() > MAX_BYTES:
            raise ImageError(f"{place.name}: {file.size():,} bytes are more than {MAX_BYTES:,}; make it smaller")
        return file.read()


class Tables:
    """Pictures in Parquet tables, whose groups of rows are read whole; the last one is kept."""

    def __init__(self):
        self._lock = threading.Lock()
        self._ends: dict[str, np.ndarray] = {}  # of each table, the row behind each group
        self._kept: tuple[Any, pyarrow.ChunkedArray | None] = (None, None)

    def read(self, photo: Photo) -> bytes:
        """The bytes of a photo.

        Raises:
            ImageError: the table has no such row.
            OSError, pyarrow.ArrowException: it cannot be read.
        """
        with self._lock:
            table = photo.place.name
            if table not in self._ends:
                self._ends[table] = self._group_ends(photo.place)
            group = int(np.searchsorted(self._ends[table], photo.row, side="right"))
            if group == len(self._ends[table]):
                raise ImageError(f"{photo.name}: the table has no such row; was it written anew?")
            key = (table, photo.column, group)
            if self._kept[0] != key:
                self._kept = (key, self._values(photo, group))
            first = self._ends[table][group] - len(self._kept[1])
            return self._kept[1][int(photo.row - first)].as_py() or b""

    @staticmethod
    def _group_ends(place: Place) -> np.ndarray:
        with place.files.open_input_file(place.inner) as file:
            metadata = pq.read_metadata(file)
        return np.cumsum([metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)], dtype=int)

    @staticmethod
    def _values(photo: Photo, group: int) -> pyarrow.ChunkedArray:
        with photo.place.files.open_input_file(photo.place.inner) as file:
            values = pq.ParquetFile(file).read_row_group(group, columns=[photo.column]).column(0)
        return compute.struct_field(values, "bytes") if pyarrow.types.is_struct(values.type) else values
