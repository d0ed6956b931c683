"""The folder of a run: one run at a time, files written whole or not at all, what a kill left behind cleared away."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterator

import filelock

from captioner.errors import ConfigError
from captioner.folders.folder import recover_folder


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
    """Hold a run's folder; the lock goes with the process, however it ends.

    What a killed run left half written is cleared away first.

    Raises:
        ConfigError: another run holds it, or it cannot be written to.
    """
    lock = filelock.FileLock(workdir / "lock")
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise ConfigError(
            f"another run trains in {workdir}; wait until it has ended, or choose another --workdir"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot write to {workdir}: {error.strerror}; choose another --workdir") from None
    try:
        recover_folder(workdir / "best")
        for partial in workdir.rglob("partial-*"):
            partial.unlink()
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def written(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A path to write a file to, which takes its own name once it is on the disk.

    A reader, or a machine that loses power, finds the old file or the new one. What was begun goes when an error is
    raised; a killed process leaves `partial-*` behind, which the next run removes.
    """
    partial = path.with_name(f"partial-{path.name}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: pathlib.Path) -> None:
    """A rename is on the disk only when its folder is. Windows opens no folders and needs none of it."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def need_space(folder: pathlib.Path, needed: int, what: str) -> None:
    """Refuse before hours of work what the disk cannot hold.

    Raises:
        ConfigError: fewer than `needed` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ConfigError(
            f"{what} need {needed / 1e9:.1f} GB in {folder} and {free / 1e9:.1f} GB are free; make room or choose "
            "another --workdir"
        )
