"""ONNX graphs whose numbers lie in a folder's model.safetensors, beside which they hold some hundred kilobytes.

A constant of an exported graph is mostly a weight, turned, reshaped, multiplied filter by filter, or several
side by side. Here it becomes external
data of the file of weights, which is float16 without any packing, followed by the nodes that make the constant of it;
onnxruntime runs these once, when a session starts. What is no weight, such as the factors of a batch
normalisation, stays. Needs the package onnx; running the graphs does not.
"""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import numpy as np

from captioner.folders.weights import WEIGHTS, Weights

SMALL = 128  # numbers; fewer are not worth their nodes
TURNS = {2: [(1, 0)], 4: [(3, 2, 0, 1), (2, 3, 0, 1)]}  # of matrices, kernels, kernels of depthwise convolutions


def share_numbers(model: Any, weights: Weights) -> None:
    """Have a graph take its constants from the file of weights.

    Args:
        model: an `onnx.ModelProto`, exported of a network that has just these weights; it is changed in place.
        weights: the open file.
    """
    _Sharing(model, weights).run()


class _Sharing:
    def __init__(self, model, weights):
        import onnx

        self.onnx, self.graph, self.weights = onnx, model.graph, weights
        self.stored = {name: weights.read(name).astype(np.float32) for name in weights.shapes}
        self.known: dict[bytes, tuple[str, tuple[int, ...] | None]] = {}
        for name, values in self.stored.items():
            for turn in (None, *TURNS.get(values.ndim, ())):
                self.known.setdefault(_digest(values if turn is None else values.transpose(turn)), (name, turn))
        self.read: dict[str, str] = {}  # weights that the graph has as float32, and the names of these tensors
        self.nodes: list[Any] = []
        self.numbers = itertools.count()

    def run(self):
        kept = []
        for tensor in list(self.graph.initializer):
            if tensor.data_type != self.onnx.TensorProto.FLOAT or np.prod(tensor.dims) < SMALL:
                kept.append(tensor)
                continue
            values = self.onnx.numpy_helper.to_array(tensor)
            made = self._weight(values) or self._side_by_side(values) or self._scaled(values, kept)
            if made is None:
                kept.append(tensor)
            else:
                shape = self._constant(np.array(values.shape, np.int64), kept)
                self._node("Reshape", [made, shape], output=tensor.name)
        del self.graph.initializer[:]
        self.graph.initializer.extend([*kept, *(self._external(name) for name in self.read)])
        nodes = [*self.nodes, *self.graph.node]
        del self.graph.node[:]
        self.graph.node.extend(nodes)

    def _weight(self, values) -> str | None:
        """The tensor that holds these numbers in this order, if they are a weight's."""
        name, turn = self.known.get(_digest(values), (None, None))
        return None if name is None else self._turned(name, turn)

    def _turned(self, name: str, turn: tuple[int, ...] | None) -> str:
        """The tensor that holds a weight with its axes in another order."""
        if name not in self.read:
            self.read[name] = self._node("Cast", [name], to=self.onnx.TensorProto.FLOAT)
        return self.read[name] if turn is None else self._node("Transpose", [self.read[name]], perm=turn)

    def _side_by_side(self, values) -> str | None:
        """The tensor of a matrix whose columns are those of several weights."""
        if values.ndim != 2:
            return None
        parts, at = [], 0
        while at < values.shape[1]:
            part = next((m for m in self.stored.values() if _begins(values[:, at:], m)), None)
            if part is None:
                return None
            parts.append(self._weight(part))
            at += part.shape[1]
        return self._node("Concat", parts, axis=1)

    def _scaled(self, values, kept) -> str | None:
        """The tensor of a kernel whose filters TensorFlow multiplied by those of a batch normalisation."""
        for name, stored in self.stored.items():
            for turn in TURNS.get(values.ndim, ()) if stored.ndim == values.ndim == 4 else ():
                kernel = stored.transpose(turn)
                if kernel.shape == values.shape and _scales(values[:1], kernel[:1]) is not None:
                    scales = _scales(values, kernel)
                    if scales is not None:
                        return self._node("Mul", [self._turned(name, turn), self._constant(scales, kept)])
        return None

    def _node(self, kind: str, inputs: list[str], output: str | None = None, **attributes) -> str:
        output = output or f"shared_{next(self.numbers)}"
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], **attributes))
        return output

    def _constant(self, values, kept) -> str:
        name = f"shared_{next(self.numbers)}"
        kept.append(self.onnx.numpy_helper.from_array(values, name))
        return name

    def _external(self, name: str):
        start, end = self.weights.places[name]
        tensor = self.onnx.TensorProto(
            name=name, dims=self.weights.shapes[name], data_type=self.onnx.TensorProto.FLOAT16
        )
        tensor.data_location = self.onnx.TensorProto.EXTERNAL
        for key, value in (("location", WEIGHTS), ("offset", start), ("length", end - start)):
            tensor.external_data.add(key=key, value=str(value))
        return tensor


def _digest(values: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).digest()


def _begins(values: np.ndarray, part: np.ndarray) -> bool:
    """Whether the first columns of a matrix are another matrix."""
    return part.ndim == 2 and len(part) == len(values) and np.array_equal(values[:, : part.shape[1]], part)


def _scales(values: np.ndarray, kernel: np.ndarray) -> np.ndarray | None:
    """The factor of each filter, (filters, 1, 1, 1), that makes `values` of a kernel; None where there is none."""
    wanted, given = (array.reshape(len(array), -1).astype(np.float64) for array in (values, kernel))
    factors = (wanted * given).sum(1) / np.maximum((given**2).sum(1), 1e-30)
    error = np.abs(wanted - factors[:, None] * given).max()
    return factors.astype(np.float32).reshape(-1, 1, 1, 1) if error <= 1e-6 * np.abs(wanted).max() else None
