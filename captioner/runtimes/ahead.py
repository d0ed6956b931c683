"""Many pictures on their way through a network: the next are read and encoded while captions are searched."""

from __future__ import annotations

import collections
import concurrent.futures
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from captioner.errors import CaptionerError
from captioner.runtimes.base import Runtime

READERS = 2  # threads that read pictures
AHEAD = 2  # batches that are encoded, or wait for it, behind the one whose captions are searched

Batch = list[tuple[Any, Any]]  # of (picture, its square and size, or its error)


def read_ahead(read: Callable[[Any], Any], pictures: Iterable[Any], batch_size: int) -> Iterator[Batch]:
    """Batches of pictures, in their order, each with what `read` makes of it in a thread."""
    with concurrent.futures.ThreadPoolExecutor(READERS) as readers:
        waiting = collections.deque()
        try:
            for picture in pictures:
                waiting.append((picture, readers.submit(read, picture)))
                if len(waiting) == batch_size:
                    yield [_result(*waiting.popleft()) for _ in range(batch_size)]
            if waiting:
                yield [_result(*each) for each in waiting]
        finally:
            for _, reading in waiting:
                reading.cancel()


def encode_ahead(runtime: Runtime, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Any]]:
    """Batches and what the encoder makes of their squares; None for a batch that holds none."""
    with concurrent.futures.ThreadPoolExecutor(runtime.encodes_at_once) as encoder:
        waiting = collections.deque()
        try:
            for batch in batches:
                waiting.append((batch, encoder.submit(_encode, runtime, batch)))
                while waiting and (len(waiting) > AHEAD or waiting[0][1].done()):
                    yield _result(*waiting.popleft())
            yield from itertools.starmap(_result, waiting)
        finally:
            for _, encoding in waiting:
                encoding.cancel()


def _encode(runtime: Runtime, batch: Batch) -> Any:
    squares = [read[0] for _, read in batch if not isinstance(read, CaptionerError)]
    return runtime.encode(np.stack(squares)) if squares else None


def _result(what: Any, work: concurrent.futures.Future) -> tuple[Any, Any]:
    return what, work.result()
