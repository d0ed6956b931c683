"""Runs ONNX graphs with onnxruntime and NumPy: neither Keras nor TensorFlow is imported.

The graphs are those of a folder that `captioner.export` wrote, which hold all their numbers, or those of a model folder
itself, which take them from its file of weights.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import tempfile
import types
from collections.abc import Iterator

import numpy as np

from captioner.errors import ModelError
from captioner.folders.folder import GRAPHS, read_common, read_grid
from captioner.folders.onnx_graphs import check_graph
from captioner.folders.weights import WEIGHTS, open_weights
from captioner.runtimes.base import ExportedRuntime

NAMES = ("encoder.onnx", "step.onnx")
AT_ONCE = 2  # photos in the encoder: their numbers stay in the processor's cache, and 16 would take 0.8 GB more


class OnnxRuntime(ExportedRuntime):
    """encoder.onnx and step.onnx of a verified folder.

    Args:
        folder: where they are.
        own: whether it is a model folder, with its weights beside them.
        threads: to compute with; None takes all cores.
    """

    def __init__(self, folder: pathlib.Path, own: bool = False, threads: int | None = None):
        try:
            onnxruntime = _load_onnxruntime()
        except ImportError:
            raise ModelError(
                f"{folder} holds graphs of ONNX, which need the package onnxruntime: pip install onnxruntime"
            ) from None
        self.config, self.vocabulary, self.metrics = read_common(folder)
        self.grid = read_grid(folder, GRAPHS[0] if own else "export.json")
        with open_weights(folder / WEIGHTS) if own else contextlib.nullcontext() as weights:
            if own:
                weights.check_words(len(self.vocabulary), self.config.decoder.embedding_size)
                for name in weights.shapes:
                    weights.read(name)  # which refuses what is not finite
            for name in NAMES:
                check_graph(folder / name, weights)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads or 0
        # Each graph has threads of its own, which would go on waiting busily while the other graph computes.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._encoder, self._step = (
                onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
                for name in NAMES
            )
        except Exception as error:  # onnxruntime raises many types of its own
            reason = str(error).strip().split("\n")[0]
            raise ModelError(f"{folder} holds no ONNX model that onnxruntime can run: {reason}") from None
        self._step_inputs = {value.name for value in self._step.get_inputs()}
        self._check(folder)

    def _check(self, folder: pathlib.Path) -> None:
        """See that the graphs are an encoder and a step of the model that the folder describes."""
        if [value.name for value in self._encoder.get_inputs()] != ["pixels"] or "words" not in self._step_inputs:
            raise ModelError(f"{folder} holds no encoder and step of a captioner; export the model again")
        size, words, masks = (
            self.config.encoder.image_size,
            len(self.vocabulary),
            {value.name: value.shape for value in self._step.get_outputs()},
        )
        told = (
            self._encoder.get_inputs()[0].shape[1:],
            masks.get("log_probabilities", [None])[-1],
            masks.get("outputs_weights", [None])[-1],
        )
        wanted = ([size, size, 3], words, self.grid[0] * self.grid[1])
        for one, other in zip(told, wanted, strict=True):
            if one != other and isinstance(one, (int, list)):
                raise ModelError(
                    f"the graphs of {folder} do not fit its other parts: pixels, words and cells of its masks are "
                    f"{list(wanted)}, those of the graphs {list(told)}; export the model again"
                )

    def run_encoder(self, inputs):
        pixels = inputs["pixels"]
        parts = [_run(self._encoder, {"pixels": pixels[at : at + AT_ONCE]}) for at in range(0, len(pixels), AT_ONCE)]
        return (
            parts[0] if len(parts) == 1 else {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}
        )

    def run_step(self, inputs):
        return _run(self._step, {name: value for name, value in inputs.items() if name in self._step_inputs})


def _joined(name: str, parts: list[np.ndarray]) -> np.ndarray:
    """What the encoder answered for some photos and for those after them."""
    try:
        return np.concatenate(parts)
    except ValueError:
        shapes = sorted({part.shape for part in parts})
        raise ModelError(
            f"the model does not answer as a captioner does: its encoder's {name} have a row for each photo. "
            f"Received: shapes {shapes}"
        ) from None


def _run(session, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [value.name for value in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, inputs), strict=True))
    except Exception as error:  # onnxruntime raises many types of its own
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"the model cannot be run: {reason}; export it again") from None


@functools.cache
def _load_onnxruntime() -> types.ModuleType:
    """The package, imported once a process: only its import writes among temporary files.

    Since 1.29 it tells its maker of each session and of the machine, and keeps an identifier in the home folder; here
    it is told not to, before it starts. Whoever sets ORT_DISABLE_TELEMETRY has their own way.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    with _own_temporary_folder():
        import onnxruntime
    return onnxruntime


@contextlib.contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """A folder for temporary files that goes afterwards: onnxruntime leaves the number of its session there."""
    before = os.environ.get("TMPDIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["TMPDIR"]
            else:
                os.environ["TMPDIR"] = before
