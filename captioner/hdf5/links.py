"""Names in groups: link messages, and where a group of many keeps them."""

from __future__ import annotations

from collections.abc import Iterator

from captioner.hdf5.fields import NOWHERE, Fields, Unreadable

MAX_LINKS = 20_000  # of one group


def read_link(body: bytes) -> tuple[str, int | None]:
    """Name and address; None for a link that leads to a path or another file."""
    block = Fields(memoryview(body))
    block.expect(b"\x01", "link")
    flags = block.number(1)
    kind = block.number(1) if flags & 0x08 else 0
    block.take(8 * bool(flags & 0x04) + bool(flags & 0x10))
    raw = block.take(block.number(1 << (flags & 3)))
    name = raw.decode("utf-8", "backslashreplace")
    return name, block.number(8) if kind == 0 else None


def stored_links(data: memoryview, link_info: bytes) -> list[bytes]:
    """The link messages that a link info message leads to: none where they lie in the object header."""
    block = Fields(memoryview(link_info))
    block.expect(b"\0", "link info")
    block.take(8 * (block.number(1) & 1))
    heap, index = block.number(8), block.number(8)
    if heap == NOWHERE:
        return []
    heap = _Heap(data, heap)
    return [heap.get(identifier) for identifier in _tree_records(data, index)]


class _Heap:
    """A fractal heap, in which a group of many keeps its link messages."""

    def __init__(self, data: memoryview, address: int):
        self.data = data
        block = Fields(data, address)
        block.expect(b"FRHP\0", "fractal heap")
        block.take(2)
        filters, flags = block.number(2), block.number(1)
        if filters:
            raise Unreadable("names of a group are packed")
        largest_object = block.number(4)
        block.take(12 * 8)
        self.width, self.start, self.largest = block.number(2), block.number(8), block.number(8)
        bits = block.number(2)
        block.take(2)
        self.root, self.rows = block.number(8), block.number(2)
        if not (self.width and self.start and bits <= 64 and self.start <= self.largest):
            raise Unreadable("a fractal heap has no room")
        self.offset_size = (bits + 7) // 8
        self.length_size = ((min(self.largest, largest_object)).bit_length() + 7) // 8
        self.checked = bool(flags & 2)

    def get(self, identifier: bytes) -> bytes:
        """The object of a heap identifier."""
        block = Fields(memoryview(identifier))
        if block.number(1) & 0xF0:
            raise Unreadable("a name of a group lies outside its heap")
        offset, length = block.number(self.offset_size), block.number(self.length_size)
        address, inside = self._block_of(offset)
        block = Fields(self.data, address)
        block.expect(b"FHDB\0", "direct block")
        return Fields(self.data, address + inside, length).take(length)

    def _block_of(self, offset: int) -> tuple[int, int]:
        """Address of the direct block that holds a place of the heap, and the place in it."""
        if self.rows == 0:
            return self.root, offset
        block = Fields(self.data, self.root)
        block.expect(b"FHIB\0", "indirect block")
        block.take(8 + self.offset_size)
        begins = 0
        for row in range(self.rows):
            size = self.start << max(row - 1, 0)
            if size > self.largest:
                raise Unreadable("a group holds more names than are read")
            for _ in range(self.width):
                address = block.number(8)
                if begins <= offset < begins + size:
                    return address, offset - begins
                begins += size
        raise Unreadable("a name of a group lies outside its heap")


def _tree_records(data: memoryview, address: int) -> Iterator[bytes]:
    """Heap identifiers of a version 2 B-tree of links by name."""
    block = Fields(data, address)
    block.expect(b"BTHD\0\x05", "B-tree of links")
    node, record, depth = block.number(4), block.number(2), block.number(2)
    block.take(2)
    root, count, total = block.number(8), block.number(2), block.number(8)
    if record != 11 or node < 32 or depth > 8 or total > MAX_LINKS:
        raise Unreadable("a B-tree of links has an odd form")
    most = [(node - 10) // record]  # records of a node, and of all under it, by its height
    under, count_sizes, total_sizes = [most[0]], [_size_of(most[0])], [0]
    for height in range(1, depth + 1):
        pointer = 8 + count_sizes[0] + total_sizes[height - 1]
        most.append((node - 10 - pointer) // (record + pointer))
        under.append((most[height] + 1) * under[height - 1] + most[height])
        total_sizes.append(_size_of(under[height]))
    read = 0

    def walk(address: int, count: int, height: int) -> Iterator[bytes]:
        nonlocal read
        block = Fields(data, address)
        block.expect(b"BTIN\0\x05" if height else b"BTLF\0\x05", "node of a B-tree")
        read += count
        if read > total:
            raise Unreadable("a B-tree of links goes round in circles")
        for _ in range(count):
            block.take(4)
            yield block.take(7)
        if height:
            for _ in range(count + 1):
                child, inside = block.number(8), block.number(count_sizes[0])
                block.take(total_sizes[height - 1] if height > 1 else 0)
                yield from walk(child, inside, height - 1)

    yield from walk(root, count, depth)


def _size_of(number: int) -> int:
    return (number.bit_length() + 7) // 8
