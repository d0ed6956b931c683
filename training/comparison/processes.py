"""Independent pieces of work side by side: a process for each core, and one thread of TensorFlow in each.

A small training step cannot keep two cores busy: two steps beside each other get half as much again done as one after
the other with both cores for each.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool

from captioner.errors import CaptionerError
from captioner.quiet import silence_frameworks

ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": "1"}
_work = None  # in a process that works: what it does


def side_by_side(work: Callable, pieces: Sequence, processes: int) -> Iterator:
    """Results of work(piece), each as soon as it is there.

    Args:
        work: goes to each process once, so that it may keep what pieces have in common.
        pieces: begun in this order.
        processes: at most so many.

    Raises:
        CaptionerError: a process was ended from outside.
        Whatever a piece raises; no further one is begun then.
    """
    kept = dict(os.environ)
    os.environ.update(ONE_THREAD)  # TensorFlow reads them when it starts: too late for this process, not for the others
    pool = concurrent.futures.ProcessPoolExecutor(
        max(1, min(processes, len(pieces))), multiprocessing.get_context("spawn"), _begin, (work,)
    )
    try:
        for done in concurrent.futures.as_completed([pool.submit(_do, piece) for piece in pieces]):
            yield done.result()
    except BrokenProcessPool:
        raise CaptionerError(
            "a process was ended from outside, perhaps for want of memory; give the same command again, with fewer "
            "--processes, it goes on where it stopped"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
        os.environ.clear()
        os.environ.update(kept)


def _begin(work: Callable) -> None:
    global _work
    _work = work
    silence_frameworks()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _do(piece):
    return _work(piece)
