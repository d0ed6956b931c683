"""A part of a file, field by field; whoever reads past its end is told so."""

from __future__ import annotations

NOWHERE = 2**64 - 1  # the address of what is not in the file


class Unreadable(Exception):
    """Why a file is not read, without its name."""


class Fields:
    """A part of a file that is read from its front to its end."""

    def __init__(self, data: memoryview, at: int = 0, length: int | None = None):
        end = len(data) if length is None else at + length
        if not 0 <= at <= end <= len(data):
            raise Unreadable(f"{length or 0} bytes at {at} lie outside of the file")
        self.data, self.at, self.end = data, at, end

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > self.end:
            raise Unreadable(f"a structure ends at {self.end} in the middle of a field")
        self.at += count
        return bytes(self.data[self.at - count : self.at])

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def expect(self, wanted: bytes, what: str) -> None:
        if self.take(len(wanted)) != wanted:
            raise Unreadable(f"at {self.at - len(wanted)} there is no {what}")

    @property
    def left(self) -> int:
        return self.end - self.at
