"""What an album remembers between runs: captions, what was written for which photo, and what that replaced.

It lies in `.captioner/ledger.sqlite` of the output folder, with paths relative to that folder, so that both may move.
SQLite keeps it whole when a run is killed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from captioner.album import files
from captioner.album.answer import Answer
from captioner.errors import CaptionerError, ConfigError

FOLDER = ".captioner"
RUNS_KEPT = 10
SCHEMA = """
CREATE TABLE IF NOT EXISTS photos(path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 BLOB);
CREATE TABLE IF NOT EXISTS answers(sha256 BLOB, asked TEXT, answer TEXT, PRIMARY KEY(sha256, asked));
CREATE TABLE IF NOT EXISTS written(
    path BLOB, target TEXT, asked TEXT, sha256 BLOB, text TEXT, base TEXT, run INTEGER, PRIMARY KEY(path, target));
CREATE TABLE IF NOT EXISTS entries(path BLOB PRIMARY KEY, entry TEXT, run INTEGER);
CREATE TABLE IF NOT EXISTS journal(
    run INTEGER, path BLOB, old BLOB, new BLOB, head INTEGER, tail INTEGER, middle BLOB, mtime_ns INTEGER,
    PRIMARY KEY(run, path));
"""


class Written(NamedTuple):
    """What was written for a photo to one target.

    Attributes:
        asked: what model, options and wording it was written with.
        sha256: of the photo afterwards.
        text: that stands there since; None where a text of others was left.
        base: text of others that is part of it.
    """

    asked: str
    sha256: bytes
    text: str | None
    base: str | None


class Ledger:
    """The memory of an output folder; one run at a time has it.

    Args:
        folder: where captions go.
        read_only: leave no trace; what is remembered is forgotten at the end.

    Raises:
        ConfigError: another run is at work there, or the folder cannot be written.
    """

    def __init__(self, folder: pathlib.Path, read_only: bool = False):
        self.folder, self._lock = folder, None
        place = folder / FOLDER
        try:
            if not read_only:
                place.mkdir(parents=True, exist_ok=True)
                self._lock = _locked(place / "lock")
            self.database = _opened(place / "ledger.sqlite", read_only)
            self.database.executescript(SCHEMA)
            self.run = 1 + (
                self._value("SELECT max(run) FROM (SELECT run FROM journal UNION SELECT run FROM written)") or 0
            )
        except OSError as error:
            raise ConfigError(
                f"{folder} cannot be written: {error.strerror}; choose another folder with --out"
            ) from None
        except sqlite3.Error as error:
            raise ConfigError(f"{place} cannot be used: {error}; remove it to begin anew") from None
        if not read_only:
            self._remove_partials()

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.database.commit()
            self.database.close()
        if self._lock is not None:
            os.close(self._lock)

    def commit(self) -> None:
        self.database.commit()

    def key(self, path: pathlib.Path) -> bytes:
        """A path as it is kept: from the output folder on."""
        return os.fsencode(os.path.relpath(path, self.folder))

    def path(self, key: bytes) -> pathlib.Path:
        return pathlib.Path(os.path.normpath(self.folder / os.fsdecode(key)))

    def content(self, path: pathlib.Path) -> bytes:
        """sha256 of a photo, read again only where its size or time have changed since.

        Raises:
            OSError: it cannot be read.
        """
        status = path.stat()
        known = self._row("SELECT size, mtime_ns, sha256 FROM photos WHERE path = ?", self.key(path))
        if known and known[:2] == (status.st_size, status.st_mtime_ns):
            return known[2]
        with open(path, "rb") as file:
            data = file.read()
        self._remember_content(path, status, files.digest(data))
        return files.digest(data)

    def _remember_content(self, path: pathlib.Path, status: os.stat_result, sha256: bytes) -> None:
        values = (self.key(path), status.st_size, status.st_mtime_ns, sha256)
        self.database.execute("INSERT OR REPLACE INTO photos VALUES(?, ?, ?, ?)", values)

    def answer(self, sha256: bytes, asked: str) -> Answer | None:
        """The caption of a photo of these bytes, if it was asked for before."""
        row = self._row("SELECT answer FROM answers WHERE sha256 = ? AND asked = ?", sha256, asked)
        return Answer.from_json(row[0]) if row else None

    def remember_answer(self, sha256: bytes, asked: str, answer: Answer) -> None:
        self.database.execute("INSERT OR REPLACE INTO answers VALUES(?, ?, ?)", (sha256, asked, answer.to_json()))

    def written(self, path: pathlib.Path, target: str) -> Written | None:
        """What was written for a photo to a target."""
        row = self._row(
            "SELECT asked, sha256, text, base FROM written WHERE path = ? AND target = ?", self.key(path), target
        )
        return Written(*row) if row else None

    def remember_written(self, path: pathlib.Path, target: str, written: Written) -> None:
        values = (self.key(path), target, *written, self.run)
        self.database.execute("INSERT OR REPLACE INTO written VALUES(?, ?, ?, ?, ?, ?, ?)", values)

    def entry(self, path: pathlib.Path) -> dict[str, Any] | None:
        """A photo's entry on the page."""
        row = self._row("SELECT entry FROM entries WHERE path = ?", self.key(path))
        return json.loads(row[0]) if row else None

    def remember_entry(self, path: pathlib.Path, entry: dict[str, Any]) -> None:
        values = (self.key(path), json.dumps(entry), self.run)
        self.database.execute("INSERT OR REPLACE INTO entries VALUES(?, ?, ?)", values)

    def entries(self) -> Iterator[tuple[pathlib.Path, dict[str, Any]]]:
        """All entries of the page in the order of their paths."""
        for key, entry in self.database.execute("SELECT path, entry FROM entries ORDER BY path"):
            yield self.path(key), json.loads(entry)

    def newest_entry(self) -> int:
        """A number that grows with every entry that is remembered; 0 where there is none."""
        return self._value("SELECT max(rowid) FROM entries") or 0

    def replace(self, path: pathlib.Path, new: bytes) -> None:
        """Give a file new bytes once the journal holds what puts the older ones back.

        Raises:
            OSError: it cannot be written; the older file stays as it is.
        """
        if reason := files.reason_not_to_write(path):
            raise PermissionError(errno.EACCES, reason)
        old, mtime_ns = files.read_or_none(path), None
        if old is not None:
            mtime_ns = path.stat().st_mtime_ns
        original = old
        before = self._row(
            "SELECT old, new, head, tail, middle, mtime_ns FROM journal WHERE run = ? AND path = ?",
            self.run,
            self.key(path),
        )
        if before and old is not None and files.digest(old) == before[1]:  # the run writes this file once more
            original = files.older(old, files.Difference(*before[2:5])) if before[0] is not None else None
            mtime_ns = before[5]
        how = files.difference(original, new) if original is not None else files.Difference(0, 0, b"")
        sha256 = files.digest(original) if original is not None else None
        values = (self.run, self.key(path), sha256, files.digest(new), *how, mtime_ns)
        self.database.execute("INSERT OR REPLACE INTO journal VALUES(?, ?, ?, ?, ?, ?, ?, ?)", values)
        self.database.commit()
        files.replace(path, new)

    def undo(self, tell: Callable[[str], None]) -> tuple[int, int]:
        """Put back what the last run replaced; called again, what the run before it replaced.

        Args:
            tell: is given a line for each file that was left as it is.

        Returns:
            How many files were put back, and how many were not.
        """
        run = self._value("SELECT max(run) FROM journal WHERE run > 0")
        put_back, left = 0, 0
        for _, key, old, new, *how, mtime_ns in self._journal(run):
            path = self.path(key)
            try:
                reason = _put_back(path, old, new, files.Difference(*how), mtime_ns)
            except OSError as error:
                reason = f"cannot be written: {error.strerror}"
            if reason:
                left += 1
                tell(f"{path}: {reason}; it stays as it is")
            else:
                put_back += 1
                self.database.execute("DELETE FROM journal WHERE run = ? AND path = ?", (run, key))
        # What could not be put back is kept under another number, so that the run before comes next.
        self.database.execute("UPDATE journal SET run = -run WHERE run = ?", (run,))
        for table in ("written", "entries"):
            self.database.execute(f"DELETE FROM {table} WHERE run = ?", (run,))
        self.database.commit()
        return put_back, left

    def _journal(self, run: int | None) -> list[tuple]:
        return self.database.execute("SELECT * FROM journal WHERE run = ?", (run,)).fetchall()

    def _remove_partials(self) -> None:
        """What a run that was killed left half written; and the journal of runs long ago."""
        last = self._value("SELECT max(run) FROM journal") or 0
        for _, key, *_ in self._journal(last):
            with contextlib.suppress(OSError):
                files.partial_of(self.path(key)).unlink(missing_ok=True)
        self.database.execute("DELETE FROM journal WHERE abs(run) < ?", (last - RUNS_KEPT,))
        self.database.commit()

    def _row(self, query: str, *values):
        return self.database.execute(query, values).fetchone()

    def _value(self, query: str):
        return self._row(query)[0]


def _put_back(path: pathlib.Path, old: bytes | None, new: bytes, how: files.Difference, mtime_ns: int | None) -> str:
    """Why a file cannot be put back; empty once it is."""
    now = files.read_or_none(path)
    if now is None:
        return "" if old is None else "is gone"
    if old is not None and files.digest(now) == old:  # the run was killed before it replaced this one
        return ""
    if files.digest(now) != new:
        return "was changed since"
    if old is None:
        path.unlink()
        return ""
    original = files.older(now, how)
    if files.digest(original) != old:
        raise CaptionerError(f"the journal does not fit {path}; nothing was changed")
    files.replace(path, original, mtime_ns)
    return ""


def _opened(path: pathlib.Path, read_only: bool) -> sqlite3.Connection:
    """The database; for reading only, a copy in memory."""
    if not read_only:
        database = sqlite3.connect(path)
        # No wait for the disk at every photo; without shared memory, so that it works on network drives as well.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {pragma}")
        return database
    database = sqlite3.connect(":memory:")
    with tempfile.TemporaryDirectory(prefix="captioner-") as folder:
        for part in path.parent.glob(f"{path.name}*"):
            shutil.copy(part, folder)
        with contextlib.closing(sqlite3.connect(pathlib.Path(folder, path.name))) as stored:
            stored.backup(database)
    return database


def _locked(path: pathlib.Path) -> int | None:
    """A file that one process holds until it ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise ConfigError(
            f"another run is at work in {path.parent.parent}; wait for it or choose another --out"
        ) from None
    return file
