"""Arrays of numbers: their shapes and types, and where their layouts put the numbers."""

from __future__ import annotations

import dataclasses
import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from captioner.hdf5.fields import NOWHERE, Fields, Unreadable

MAX_RANK = 32
MAX_CHUNKS = 100_000  # of all arrays of a file
DEFLATE, SHUFFLE = 1, 2  # filters
# IEEE 754 as the datatype message describes it: precision, places and sizes of exponent and fraction, bias.
FLOATS = {
    2: (0, 16, 10, 5, 0, 10, 15),
    4: (0, 32, 23, 8, 0, 23, 127),
    8: (0, 64, 52, 11, 0, 52, 1023),
}


@dataclasses.dataclass(frozen=True)
class Array:
    """An array of numbers in a file, not read yet."""

    shape: tuple[int, ...]
    dtype: np.dtype
    layout: bytes
    filters: tuple[tuple[int, int], ...]  # (identifier, first parameter) in the order in which they were applied

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def read_shape(body: bytes) -> tuple[int, ...] | None:
    block = Fields(memoryview(body))
    version, rank, flags, kind = block.take(4)
    if version != 2 or rank > MAX_RANK or kind > 1:
        return None
    shape = tuple(block.number(8) for _ in range(rank))
    if flags & 1 and tuple(block.number(8) for _ in range(rank)) != shape:
        return None  # an array that may grow
    return shape


def read_type(body: bytes) -> np.dtype | None:
    """Little-endian numbers; None for anything else."""
    block = Fields(memoryview(body))
    kind, bits, more = block.number(1) & 0x0F, block.number(1), block.take(2)
    size = block.number(4)
    if kind == 1 and size in FLOATS and bits == 0x20 and more == bytes([8 * size - 1, 0]):
        if struct.unpack("<HHBBBBL", block.take(12)) == FLOATS[size]:
            return np.dtype(f"<f{size}")
    elif (
        kind == 0 and size in (1, 2, 4, 8) and not bits & 0x07 and struct.unpack("<HH", block.take(4)) == (0, 8 * size)
    ):
        return np.dtype(f"<{'i' if bits & 0x08 else 'u'}{size}")
    return None


def read_filters(body: bytes) -> tuple[tuple[int, int], ...]:
    block = Fields(memoryview(body))
    block.expect(b"\x02", "filter pipeline of version 2")
    filters = []
    for _ in range(block.number(1)):
        identifier = block.number(2)
        name = block.number(2) if identifier >= 256 else 0
        block.take(2)
        count = block.number(2)
        block.take(name)
        values = [block.number(4) for _ in range(count)]
        filters.append((identifier, values[0] if values else 0))
    return tuple(filters)


class Numbers:
    """The numbers of an array, wherever its layout puts them."""

    def __init__(self, data: memoryview, array: Array, most_chunks: int = MAX_CHUNKS):
        self.data, self.array, self.chunks, self.most_chunks = data, array, 0, most_chunks

    def read(self) -> np.ndarray:
        block = Fields(memoryview(self.array.layout))
        version, kind = block.number(1), block.number(1)
        if version not in (3, 4) or (kind == 2 and version != 4):
            raise Unreadable(f"layout version {version} is not read")
        if kind == 0:
            return self._values(block.take(block.number(2)), self.array.shape)
        if kind == 1:
            address, size = block.number(8), block.number(8)
            if size != self.array.nbytes or (address == NOWHERE and size):
                raise Unreadable(f"its {self.array.nbytes:,} bytes are not in the file")
            return self._values(Fields(self.data, address if size else 0, size).take(size), self.array.shape)
        if kind == 2:
            return self._chunked(block)
        raise Unreadable("it takes its numbers from another file; weights lie in the file itself")

    def _values(self, data: bytes, shape: tuple[int, ...]) -> np.ndarray:
        if len(data) != math.prod(shape) * self.array.dtype.itemsize:
            raise Unreadable(f"{len(data):,} bytes are no array of shape {shape} of {self.array.dtype}")
        return np.frombuffer(data, self.array.dtype).reshape(shape)

    def _chunked(self, block: Fields) -> np.ndarray:
        flags, rank = block.number(1), block.number(1) - 1
        width = block.number(1)
        *sides, itemsize = (block.number(width) for _ in range(rank + 1))
        shape = self.array.shape
        if (
            rank != len(shape)
            or itemsize != self.array.dtype.itemsize
            or not all(0 < c <= s for c, s in zip(sides, shape, strict=False))
        ):
            raise Unreadable(f"chunks of {tuple(sides)} do not tile {shape}")
        counts = [-(-side // chunk) for side, chunk in zip(shape, sides, strict=True)]
        self.chunks = math.prod(counts)
        if self.chunks > self.most_chunks:
            raise Unreadable(f"the file has over {MAX_CHUNKS:,} chunks")
        size = math.prod(sides) * itemsize
        values = np.empty(shape, self.array.dtype)
        places = self._places(block, flags, math.prod(counts), size)
        for place, (address, stored, mask) in zip(np.ndindex(*counts), places, strict=True):
            if address == NOWHERE:
                raise Unreadable(f"its {self.array.nbytes:,} bytes are not in the file")
            packed = Fields(self.data, address, stored).take(stored)
            chunk = self._values(self._unpack(packed, size, mask), tuple(sides))
            where = tuple(slice(i * c, min((i + 1) * c, s)) for i, c, s in zip(place, sides, shape, strict=True))
            values[where] = chunk[tuple(slice(0, part.stop - part.start) for part in where)]
        return values

    def _places(self, block: Fields, flags: int, count: int, size: int) -> Iterator[tuple[int, int, int]]:
        """Address, stored bytes and mask of filters left out, chunk by chunk."""
        index = block.number(1)
        if index == 1:  # a single chunk
            stored, mask = (block.number(8), block.number(4)) if flags & 2 else (size, 0)
            yield block.number(8), stored, mask
        elif index == 2:  # one after the other
            first = block.number(8)
            yield from ((first + i * size, size, 0) for i in range(count))
        elif index == 3:  # a fixed array
            block.take(1)
            yield from self._fixed_array(block.number(8), count, size)
        else:
            raise Unreadable("an array that may grow is not read")

    def _fixed_array(self, address: int, count: int, size: int) -> Iterator[tuple[int, int, int]]:
        head = Fields(self.data, address)
        head.expect(b"FAHD\0", "fixed array")
        filtered, entry, page_bits = head.number(1), head.number(1), head.number(1)
        entries, at = head.number(8), head.number(8)
        if entries != count or filtered != bool(self.array.filters) or entry not in range(8, 21):
            raise Unreadable("the list of its chunks has an odd form")
        block = Fields(self.data, at)
        block.expect(b"FADB\0", "fixed array")
        block.take(9)
        page = 1 << min(page_bits, 32)
        if count > page:  # a bitmap of pages in use and its checksum; each page ends with its own
            pages = math.ceil(count / page)
            block.take(math.ceil(pages / 8) + 4)
        for i in range(count):
            if count > page and i and i % page == 0:
                block.take(4)
            address = block.number(8)
            stored, mask = (block.number(entry - 12), block.number(4)) if filtered else (size, 0)
            yield address, stored, mask

    def _unpack(self, data: bytes, size: int, mask: int) -> bytes:
        for place, (identifier, parameter) in reversed(list(enumerate(self.array.filters))):
            if mask & (1 << place):
                continue
            if identifier == DEFLATE:
                unpacker = zlib.decompressobj()
                data = unpacker.decompress(data, size + 1)  # no more than a chunk holds, whatever is packed
            else:
                data = _unshuffle(data, parameter)
        return data


def _unshuffle(data: bytes, itemsize: int) -> bytes:
    """Bytes that were sorted by their place in a number, back in their order."""
    if itemsize < 2 or len(data) % itemsize:
        return data
    return np.frombuffer(data, np.uint8).reshape(itemsize, -1).T.tobytes()
