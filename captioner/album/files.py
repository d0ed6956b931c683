"""Files replaced whole or not at all, and what it takes to put the older ones back."""

from __future__ import annotations

import hashlib
import os
import pathlib
import stat
from typing import NamedTuple

PARTIAL = ".captioner-part"  # behind the name of a file that is being written


class Difference(NamedTuple):
    """What an older file held where a newer one differs: both share the first `head` and the last `tail` bytes."""

    head: int
    tail: int
    middle: bytes


def difference(old: bytes, new: bytes) -> Difference:
    """How to make the older bytes of the newer; small where a photo got another text and kept its pixels."""
    shorter = min(len(old), len(new))
    head = _common(old, new, shorter)
    tail = _common(old[head:][::-1], new[head:][::-1], shorter - head)
    return Difference(head, tail, old[head : len(old) - tail])


def older(new: bytes, how: Difference) -> bytes:
    """The older bytes."""
    return new[: how.head] + how.middle + (new[-how.tail :] if how.tail else b"")


def _common(one: bytes, other: bytes, length: int) -> int:
    """Bytes that two share at their beginning, by halves, since comparing whole slices is quick."""
    low, high = 0, length
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def read_or_none(path: pathlib.Path) -> bytes | None:
    """The bytes of a file; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def partial_of(path: pathlib.Path) -> pathlib.Path:
    """Where a file is written before it takes its name: hidden, in the same folder, never too long a name."""
    return path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}{PARTIAL}")


def replace(path: pathlib.Path, data: bytes, mtime_ns: int | None = None) -> None:
    """Give a file new bytes; whoever looks sees the older file or the newer one, whole.

    Args:
        path: of the file; its permissions stay.
        data: what it holds from now on.
        mtime_ns: time of its last change in nanoseconds; None is now.

    Raises:
        OSError: it cannot be written; the older file stays as it is.
    """
    partial = partial_of(path)
    try:
        with open(partial, "wb") as file:
            file.write(data)
            if path.exists():  # the older file goes only once the newer one is on the disk
                file.flush()
                os.fsync(file.fileno())
        if path.exists():
            os.chmod(partial, stat.S_IMODE(path.stat().st_mode))
        if mtime_ns is not None:
            os.utime(partial, ns=(mtime_ns, mtime_ns))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def reason_not_to_write(path: pathlib.Path) -> str:
    """Why a file cannot be written or replaced, found without touching it; empty where it can."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        status = None
    except OSError as error:
        return error.strerror
    if status is not None and not stat.S_ISREG(status.st_mode):
        return "it is not a file of its own but a link, a folder or a device"
    if status is not None and (not status.st_mode & 0o222 or not os.access(path, os.W_OK)):
        return "it is read-only"
    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {folder}"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"nothing may be written into {folder}"
