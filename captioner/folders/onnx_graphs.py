"""Graphs of ONNX, looked over before a runtime is let near them: where do their numbers lie?

An ONNX graph may name other files for its numbers. Here it may name the folder's model.safetensors alone, and there
only whole arrays by their own name and shape. The graph is read as what it is, nested fields of protobuf
(https://protobuf.dev/programming-guides/encoding/), numbered as in onnx.proto; the package onnx is not needed.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from captioner.errors import ModelError
from captioner.folders.weights import WEIGHTS, Weights

MAX_GRAPH = 64_000_000  # bytes of a graph that shares its numbers; those that ship have 700,000
MAX_DEPTH = 24
FLOAT16, EXTERNAL = 10, 1  # of TensorProto.DataType and TensorProto.DataLocation
# Which fields of a message hold which messages, as far as tensors can be in them.
INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
DIMS, DATA_TYPE, NAME, EXTERNAL_DATA, DATA_LOCATION = 1, 2, 8, 13, 14  # fields of a tensor


class Unreadable(ValueError):
    """Bytes that are no graph."""


def check_graph(path: pathlib.Path, weights: Weights | None) -> None:
    """See that a graph takes its numbers from itself and from the folder's weights.

    Args:
        path: the graph.
        weights: the open file of weights; None where the graph must hold all its numbers itself.

    Raises:
        ModelError: it is no graph, or it names another file, or other places in the file.
    """
    try:
        data = path.read_bytes()
        if weights and len(data) > MAX_GRAPH:
            raise Unreadable(f"it has {len(data):,} bytes, more than {MAX_GRAPH:,}")
        if data[4:8] == b"ORTM":
            raise Unreadable("it is in onnxruntime's own format")
        outside = list(_external(memoryview(data), "model", 0))
    except Unreadable as error:
        raise ModelError(f"{path} is no ONNX graph that can be read: {error}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    for tensor in outside:
        fault = _fault(tensor, weights)
        if fault:
            raise ModelError(f"{path} {fault}; make the graphs again with python -m captioner.export --format graphs")


def _fault(tensor: memoryview, weights: Weights | None) -> str | None:
    """What is wrong with a tensor whose numbers lie outside the graph."""
    entries = [dict(_entry(value)) for field, value in _fields(tensor) if field == EXTERNAL_DATA]
    place = {entry.get(1): entry.get(2) for entry in entries}
    names = [_text(value) for field, value in _fields(tensor) if field == NAME]
    name = names[-1] if names else ""
    if weights is None:
        return f"takes the numbers of {name!r} from another file"
    if place.get("location") != WEIGHTS:
        return f"takes the numbers of {name!r} from {place.get('location')!r} instead of {WEIGHTS}"
    if name not in weights.places:
        return f"wants numbers {name!r}, which {WEIGHTS} does not have"
    start, end = weights.places[name]
    shape = tuple(size for field, value in _fields(tensor) if field == DIMS for size in _sizes(value))
    kinds = [value for field, value in _fields(tensor) if field == DATA_TYPE]
    wanted = {"location": WEIGHTS, "offset": str(start), "length": str(end - start)}
    if len(entries) != len(wanted) or place != wanted or shape != weights.shapes[name] or kinds != [FLOAT16]:
        return f"looks for {name!r} in another place or shape than {WEIGHTS} has it"
    return None


def _external(message: memoryview, kind: str, depth: int) -> Iterator[memoryview]:
    """All tensors inside a message whose numbers lie outside it."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"it is nested more than {MAX_DEPTH} deep")
    if kind == "tensor":
        fields = [(field, value) for field, value in _fields(message) if field in (EXTERNAL_DATA, DATA_LOCATION)]
        if any(field == EXTERNAL_DATA or value == EXTERNAL for field, value in fields):
            yield message
        return
    inside = INSIDE[kind]
    for field, value in _fields(message):
        if field in inside and isinstance(value, memoryview):
            yield from _external(value, inside[field], depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field: whole numbers as such, all else as bytes."""
    at = 0
    while at < len(message):
        tag, at = _number(message, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _number(message, at)
            yield field, value
            continue
        if wire == 2:
            length, at = _number(message, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise Unreadable(f"it has a field of type {wire}")
        if field == 0 or length > len(message) - at:
            raise Unreadable("a field ends outside of it")
        yield field, message[at : at + length]
        at += length


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise Unreadable("a number in it does not end")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _sizes(value: int | memoryview) -> list[int]:
    """Sizes of a shape, written one by one or together."""
    if isinstance(value, int):
        return [value]
    sizes, at = [], 0
    while at < len(value):
        size, at = _number(value, at)
        sizes.append(size)
    return sizes


def _entry(value: int | memoryview) -> Iterator[tuple[int, str]]:
    """Field 1, the key, and field 2, the value, of an entry of external data."""
    if isinstance(value, int):
        raise Unreadable("an entry of external data is no text")
    for field, text in _fields(value):
        yield field, _text(text)


def _text(value: int | memoryview) -> str:
    return str(value) if isinstance(value, int) else bytes(value).decode("utf-8", "backslashreplace")
