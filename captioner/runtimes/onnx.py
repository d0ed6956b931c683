"""Runs ONNX graphs with onnxruntime and NumPy: neither Keras nor TensorFlow is imported.

The graphs are those of a folder that `captioner.export` wrote, which hold all their numbers, or those of a model folder
itself, which take them from its file of weights.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
import pathlib
import tempfile
import threading
import types
from collections.abc import Iterator

import numpy as np

from captioner.errors import ModelError
from captioner.folders.folder import GRAPHS, read_common, read_grid
from captioner.folders.onnx_graphs import check_graph
from captioner.folders.weights import WEIGHTS, open_weights
from captioner.runtimes.base import ExportedRuntime, cores

NAMES = ("encoder.onnx", "step.onnx")
AT_ONCE = 2  # photos in the encoder: their numbers stay in the processor's cache, and 16 would take 0.8 GB more
MANY = 8  # photos from which on a core for each is worth a second session, which takes 0.3 s to start


class OnnxRuntime(ExportedRuntime):
    """encoder.onnx and step.onnx of a verified folder.

    Args:
        folder: where they are.
        own: whether it is a model folder, with its weights beside them.
        threads: to compute with; None takes all cores.
    """

    def __init__(self, folder: pathlib.Path, own: bool = False, threads: int | None = None):
        try:
            _load_onnxruntime()
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
        self._encoder, self._step = (_session(folder / name, threads or 0) for name in NAMES)
        workers = threads or cores()
        self._several = SideBySide(folder, workers)
        self.encodes_at_once = min(2, workers)  # or cores that are done with a batch wait for the others
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
        alone = self._several.takes(len(pixels))
        parts = self._several.encode(pixels[:alone])
        parts += [
            _run(self._encoder, {"pixels": pixels[at : at + AT_ONCE]}) for at in range(alone, len(pixels), AT_ONCE)
        ]
        return (
            parts[0] if len(parts) == 1 else {name: _joined(name, [part[name] for part in parts]) for name in parts[0]}
        )

    def run_step(self, inputs):
        several = self._several.started and len(inputs["words"]) > 1
        return _run(
            self._several.step if several else self._step,
            {name: value for name, value in inputs.items() if name in self._step_inputs},
        )


class SideBySide:
    """The graphs with one core for each photo, which wait for each other less than cores that share a photo.

    Args:
        folder: of encoder.onnx and step.onnx.
        cores: how many.

    Attributes:
        started: whether many photos have come yet.
        step: takes one core, since the others encode the next photos.
    """

    def __init__(self, folder: pathlib.Path, cores: int):
        self._folder, self._cores, self.started = folder, cores, False
        self._starting, self._workers = threading.Lock(), concurrent.futures.ThreadPoolExecutor(cores)
        self._stamp = _stamp(folder)

    def takes(self, photos: int) -> int:
        """How many of a batch go this way: as many for each core, and none where they are few."""
        if self._cores == 1 or photos < MANY or not self._start():
            return 0
        return photos - photos % self._cores

    def encode(self, pixels: np.ndarray) -> list[dict[str, np.ndarray]]:
        """What the encoder answers for each photo."""
        photos = (pixels[at : at + 1] for at in range(len(pixels)))
        return list(self._workers.map(lambda photo: _run(self._encoder, {"pixels": photo}), photos))

    def _start(self) -> bool:
        """Whether it runs: not where the folder is no longer what it was when it was verified."""
        with self._starting:
            if not self.started and _stamp(self._folder) == self._stamp:
                self._encoder, self.step = (_session(self._folder / name, 1) for name in NAMES)
                self.started = True
            return self.started


def _stamp(folder: pathlib.Path) -> list[tuple[int, int, int]]:
    """Changes with the files of a folder's graphs and numbers."""
    with contextlib.suppress(OSError):
        found = [file.stat() for file in sorted(folder.iterdir()) if file.name in (*NAMES, WEIGHTS)]
        return [(each.st_ino, each.st_size, each.st_mtime_ns) for each in found]
    return []


def _session(graph: pathlib.Path, threads: int):
    """A graph, ready to run; 0 threads are as many as there are cores."""
    onnxruntime = _load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    # Each graph has threads of its own, which would go on waiting busily while the other graph computes.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many types of its own
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"{graph.parent} holds no ONNX model that onnxruntime can run: {reason}") from None


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
