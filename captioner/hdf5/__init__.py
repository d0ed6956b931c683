"""A reader of HDF5 in Python alone, for files of weights that a stranger may have made.

The library that h5py and Keras call is written in C and loses its footing on files made to harm: one byte put into the
middle of a file of weights, and it reads outside its memory. Here a wrong number is a wrong number. Read is what HDF5
1.14 and later write under libver="latest" for groups and arrays of numbers of a fixed size: superblock 2 and 3, object
headers 2, links in headers and in fractal heaps, contiguous and chunked layouts. Everything else is refused.

Source: HDF5 File Format Specification version 3.0, whose names are used here. Checksums are not compared: the
manifest of a model folder holds one of the whole file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np

from captioner.hdf5.fields import Fields, Unreadable
from captioner.hdf5.links import read_link, stored_links
from captioner.hdf5.numbers import DEFLATE, MAX_CHUNKS, SHUFFLE, Array, Numbers, read_filters, read_shape, read_type

__all__ = ["Array", "File", "Unreadable"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS = 20_000
MAX_DEPTH = 32
# Messages of an object header.
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL, LAYOUT, FILTERS, CONTINUATION = 1, 2, 3, 6, 7, 8, 11, 16


class File:
    """A file of groups and arrays.

    Args:
        data: the whole file.

    Attributes:
        arrays: every array by its path, "decoder/vars/0".

    Raises:
        Unreadable: it is no HDF5, is damaged, or holds what this reader does not read.
    """

    def __init__(self, data: bytes):
        self.data = memoryview(data)
        block = Fields(self.data)
        block.expect(SIGNATURE, "HDF5")
        version, offsets, lengths, _ = block.take(4)
        if version not in (2, 3) or (offsets, lengths) != (8, 8):
            raise Unreadable(f"superblock version {version} is not read; captioner writes version 3")
        base, _, end, root = (block.number(8) for _ in range(4))
        if base or end != len(data):
            raise Unreadable(f"it says that it has {end} bytes and has {len(data)}")
        self.arrays: dict[str, Array] = {}
        self._chunks_left = MAX_CHUNKS  # thousands of arrays may name the same ones
        self._seen: set[int] = set()
        self._walk(root, "", 0)

    def _walk(self, address: int, path: str, depth: int) -> None:
        if address in self._seen:
            raise Unreadable(f"'{path}' is there twice")
        if depth > MAX_DEPTH:
            raise Unreadable(f"'{path}' lies more than {MAX_DEPTH} groups deep")
        if len(self._seen) >= MAX_OBJECTS:
            raise Unreadable(f"it holds over {MAX_OBJECTS:,} objects")
        self._seen.add(address)
        messages: dict[int, list[bytes]] = {}
        for kind, body in self._messages(address):
            messages.setdefault(kind, []).append(body)
        if LAYOUT in messages:
            self.arrays[path] = _describe(messages, path)
        elif LINK_INFO in messages:
            links = [*messages.get(LINK, []), *stored_links(self.data, messages[LINK_INFO][0])]
            for name, target in map(read_link, links):
                inner = f"{path}/{name}" if path else name
                if target is None:
                    raise Unreadable(f"'{inner}' is a link to somewhere else; weights lie in the file itself")
                self._walk(target, inner, depth + 1)
        else:
            raise Unreadable(f"'{path}' is neither a group nor an array")

    def _messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        """Kind and body of every message of an object header."""
        block = Fields(self.data, address)
        block.expect(b"OHDR\x02", "object header")
        flags = block.number(1)
        block.take(16 * bool(flags & 0x20) + 4 * bool(flags & 0x10))
        waiting = [(block.number(1 << (flags & 3)), block.at)]
        read = 0
        while waiting:
            length, at = waiting.pop()
            read += length
            if read > len(self.data):
                raise Unreadable(f"the object header at {address} goes round in circles")
            part = Fields(self.data, at, length)
            while part.left >= 4 + 2 * bool(flags & 0x04):
                kind, size, marks = part.number(1), part.number(2), part.number(1)
                part.take(2 * bool(flags & 0x04))
                body = part.take(size)
                if marks & 0x02:
                    raise Unreadable(f"the object header at {address} shares a message; its type has a name of its own")
                if kind == CONTINUATION:
                    block = Fields(memoryview(body))
                    start, more = block.number(8), block.number(8)
                    Fields(self.data, start, more).expect(b"OCHK", "continued object header")
                    waiting.append((more - 8, start + 4))
                elif kind:
                    yield kind, body

    def read(self, name: str) -> np.ndarray:
        """The numbers of an array.

        Raises:
            Unreadable: they are not all there.
        """
        try:
            numbers = Numbers(self.data, self.arrays[name], self._chunks_left)
            values = numbers.read()
            self._chunks_left -= numbers.chunks
            return values
        except (Unreadable, zlib.error) as error:
            raise Unreadable(f"'{name}': {error}") from None


def _describe(messages: dict[int, list[bytes]], path: str) -> Array:
    if EXTERNAL in messages:
        raise Unreadable(f"'{path}' takes its numbers from another file; weights lie in the file itself")
    if not (DATASPACE in messages and DATATYPE in messages):
        raise Unreadable(f"'{path}' has no shape or no type")
    shape, dtype = read_shape(messages[DATASPACE][0]), read_type(messages[DATATYPE][0])
    if shape is None or dtype is None:
        raise Unreadable(f"'{path}' is no array of numbers")
    filters = read_filters(messages[FILTERS][0]) if FILTERS in messages else ()
    if any(identifier not in (SHUFFLE, DEFLATE) for identifier, _ in filters):
        raise Unreadable(f"'{path}' is packed in a way that needs a plug-in")
    return Array(shape, dtype, messages[LAYOUT][0], filters)
