"""Shards through a pool of Ray Data's actors, until each is written."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence

from captioner.cluster.missing import Shard
from captioner.cluster.output import Overtaken
from captioner.cluster.worker import Job, Worker
from captioner.errors import CaptionerError, ConfigError, one_line

TRIES = 3  # of the same shards, in which not one is written


class Pool:
    """Actors that hold a captioner each.

    Args:
        job: what they do.
        parcel: the model's folder, packed.
        workers: how many at most; None is as many as the cluster has CPUs for.

    Raises:
        ConfigError: the cluster has not enough CPUs for one.
    """

    def __init__(self, job: Job, parcel: bytes, workers: int | None = None):
        import ray

        self._job, self._parcel, self._workers = job, ray.put(parcel), workers
        if self._most() < 1:
            cpus = ray.cluster_resources().get("CPU", 0)
            raise ConfigError(f"a worker of {job.threads} threads needs as many CPUs; the cluster has {cpus:g}")

    def run(self, shards: Sequence[Shard], tell: Callable[[int, int], None], stop: threading.Event) -> None:
        """Caption shards.

        Where Ray gives up, because a worker died for good, those that are not written are begun anew.

        Args:
            shards: what is to be done.
            tell: called with the photos and errors of each that is written.
            stop: ends it with a KeyboardInterrupt once it is set.

        Raises:
            CaptionerError: a worker refuses, or they die again and again.
        """
        waiting, tries = {shard.name: shard for shard in shards}, TRIES
        while waiting:
            before = len(waiting)
            try:
                for name, photos, errors in self._stream(list(waiting.values())):
                    if waiting.pop(name, None):
                        tell(photos, errors)
                    if stop.is_set():
                        raise KeyboardInterrupt
            except Exception as error:  # Ray wraps what it met in types of its own
                if stop.is_set():
                    raise KeyboardInterrupt from None
                refused = _refused(error)
                if refused:
                    raise refused from None
                tries = TRIES if len(waiting) < before else tries - 1
                if not tries:
                    reason = one_line(f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:300]}")
                    raise CaptionerError(f"workers died {TRIES} times on the same photos: {reason}") from error

    def _most(self) -> int:
        """Workers that the cluster has CPUs for at the moment, or so many as were asked for if that is less."""
        import ray

        most = int(ray.cluster_resources().get("CPU", 0) // self._job.threads)
        return most if self._workers is None else min(most, self._workers)

    def _stream(self, shards: Sequence[Shard]) -> Iterator[tuple[str, int, int]]:
        """Names, photos and errors of shards as they are written."""
        from ray import data

        _keep_quiet(data.DataContext.get_current())
        rows = [{"name": shard.name, "photos": shard.photos} for shard in shards]
        written = data.from_items(rows, override_num_blocks=len(rows)).map_batches(
            _Actor,
            batch_size=1,
            num_cpus=self._job.threads,
            concurrency=(1, max(self._most(), 1)),
            fn_constructor_args=(self._job, [self._parcel]),  # in a list, else Ray would fetch it for each actor
        )
        with contextlib.closing(written.iter_batches(batch_size=None, prefetch_batches=0)) as batches:
            for batch in batches:
                yield from zip(batch["name"], batch["photos"].tolist(), batch["errors"].tolist(), strict=True)


class _Actor(Worker):
    """A worker that gets its model from Ray's object store.

    Args:
        job: what it does.
        parcel: the reference to the model's folder, in a list.
    """

    def __init__(self, job: Job, parcel: list):
        import ray

        super().__init__(job, ray.get(parcel[0]))


def _keep_quiet(context) -> None:
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _refused(error: BaseException | None) -> CaptionerError | None:
    """The refusal of ours that an error of Ray's came from; that a file vanished or a disk is full is one too."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, CaptionerError):
            return error if type(error) is not Overtaken else Overtaken(str(error).split("\n")[0])
        if isinstance(error, OSError) and not isinstance(error, ConnectionError):
            return CaptionerError(f"captions cannot be written: {error.strerror or error}")
        error = getattr(error, "cause", None) or error.__cause__
    return None
