"""model.safetensors: the numbers of a network by name, as float16. Knows no Keras.

The file may come from a stranger. The safetensors library compares every offset with the file before it gives a number
out, and the file holds numbers alone: nothing in it can be run.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator

import numpy as np
import safetensors
import safetensors.numpy

from captioner.errors import ModelError

WEIGHTS = "model.safetensors"
MAX_HEADER = 4_000_000  # bytes of names and shapes; those of 500 layers take 60,000
HALF = np.finfo(np.float16)


def write_weights(path: pathlib.Path, numbers: dict[str, np.ndarray]) -> None:
    """Write numbers as float16; those out of its range become the largest it has.

    Args:
        path: the file.
        numbers: arrays of any shape by name, such as "decoder/attention/W_a".

    Raises:
        ModelError: a number is not finite; nothing is written.
    """
    halves = {}
    for name, values in numbers.items():
        if not np.isfinite(values).all():
            raise ModelError(f"weight {name} holds values that are not finite; nothing was written")
        halves[name] = np.array(np.clip(values, HALF.min, HALF.max), np.float16, order="C")
    path.write_bytes(safetensors.numpy.save(halves))


class Weights:
    """An open file of weights, mapped into memory; make one with `open_weights`.

    Attributes:
        path: of the file.
        shapes: of every array, by name.
        places: first byte of every array in the file, and the first after it.
    """

    def __init__(self, path: pathlib.Path, file, header: tuple[int, dict]):
        self.path, self._file = path, file
        self.shapes: dict[str, tuple[int, ...]] = {}
        length, entries = header
        self.places: dict[str, tuple[int, int]] = {}
        for name in file.keys():  # noqa: SIM118 -- a file of safetensors is no dictionary
            part = file.get_slice(name)
            if part.get_dtype() != "F16":
                raise ModelError(f"{path}: {name!r} is {part.get_dtype()}; weights are stored as F16")
            self.shapes[name] = tuple(part.get_shape())
            start, end = entries[name]["data_offsets"]
            self.places[name] = 8 + length + start, 8 + length + end

    def read(self, name: str) -> np.ndarray:
        """The float16 numbers of an array.

        Raises:
            ModelError: they are not finite.
        """
        values = self._file.get_tensor(name)
        if not np.isfinite(values).all():
            raise ModelError(f"{self.path}: {name!r} holds values that are not finite")
        return values

    def check_words(self, words: int, size: int) -> None:
        """See that there is an array of so many words, before a network of them takes memory.

        Raises:
            ModelError: there is none: the vocabulary is not that of the weights.
        """
        if (words, size) not in self.shapes.values():
            folder = self.path.parent
            raise ModelError(
                f"{self.path} does not fit {folder / 'vocabulary.txt'} and {folder / 'config.json'}: it holds no array "
                f"of {words} words by {size}"
            )

    def compare(self, wanted: dict[str, tuple[int, ...]], description: pathlib.Path) -> None:
        """See that the file holds just what a network wants, before a number is read.

        Args:
            wanted: the shape of each of the network's weights, by name.
            description: the file that describes the network.

        Raises:
            ModelError: a weight is missing, surplus, or of another shape.
        """
        fault = next(
            (f"it has no {name!r}" for name in wanted if name not in self.shapes),
            next((f"it holds {name!r}, which the network has not" for name in self.shapes if name not in wanted), None),
        ) or next(
            (
                f"{name!r} has shape {self.shapes[name]} and in the network {shape}"
                for name, shape in wanted.items()
                if self.shapes[name] != shape
            ),
            None,
        )
        if fault:
            raise ModelError(f"{self.path} does not fit {description}: {fault}")


@contextlib.contextmanager
def open_weights(path: pathlib.Path) -> Iterator[Weights]:
    """Map a file of weights into memory for a while.

    Raises:
        ModelError: it is no such file, damaged, or made to harm.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > MAX_HEADER:
                raise ModelError(
                    f"{path} is no file of weights that can be read: its header claims {length:,} bytes, more than "
                    f"{MAX_HEADER:,}"
                )
            header = file.read(length)
        with safetensors.safe_open(path, "numpy") as file:
            yield Weights(path, file, (length, json.loads(header)))
    except safetensors.SafetensorError as error:
        raise ModelError(f"{path} is no file of weights that can be read: {error}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from None
