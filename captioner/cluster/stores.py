"""File systems by address: this machine's, and what pyarrow opens by s3://, gs://, hdfs:// and file://."""

from __future__ import annotations

import dataclasses
import functools
import re

import pyarrow
from pyarrow import fs

from captioner.errors import ConfigError, one_line

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]*)/?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Place:
    """A file or folder on a file system.

    Attributes:
        root: what names the file system, such as s3://bucket/; empty for this machine's.
        path: of the file or folder there, without the root, as it was given.
    """

    root: str
    path: str

    @classmethod
    def of(cls, text: str) -> Place:
        """The place that a path or an address names; nothing in an address is escaped."""
        found = ADDRESS.match(text)
        return cls(found[0], text[found.end() :]) if found else cls("", text)

    @property
    def name(self) -> str:
        """The place as text, of which `of` makes the same place."""
        return self.root + self.path

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine's file systems, by a plain path."""
        return not self.root

    @property
    def files(self) -> fs.FileSystem:
        """The file system.

        Raises:
            ConfigError: the address names none that can be opened.
        """
        return _opened(self.root)[0]

    @property
    def inner(self) -> str:
        """The path as the file system takes it."""
        return self.path if self.is_local else f"{_opened(self.root)[1].rstrip('/')}/{self.path}".rstrip("/") or "/"

    def outer(self, inner: str) -> Place:
        """The place that has a path of this file system."""
        if self.is_local:
            return Place("", inner)
        return Place(self.root, inner.removeprefix(_opened(self.root)[1].rstrip("/")).removeprefix("/"))

    def __truediv__(self, name: str) -> Place:
        return Place(self.root, f"{self.path.rstrip('/')}/{name}" if self.path else name)


@functools.lru_cache(maxsize=64)
def _opened(root: str) -> tuple[fs.FileSystem, str]:
    """A file system, and the path of its root."""
    if not root:
        return fs.LocalFileSystem(), ""
    try:
        return fs.FileSystem.from_uri(root)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        reason = one_line(str(error).split("\n")[0])
        raise ConfigError(f"{root} cannot be opened: {reason}; give a path, or s3://, gs:// or hdfs://") from None
