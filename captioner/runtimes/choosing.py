"""Which runtime a model folder is run by."""

from __future__ import annotations

import importlib.util
import pathlib

from captioner.errors import ConfigError
from captioner.folders.folder import has_graphs, verify
from captioner.runtimes.base import Runtime


def load_runtime(folder: pathlib.Path, runtime: str, threads: int | None) -> Runtime:
    """What runs a folder. Imported here, so that ONNX runs where neither Keras nor TensorFlow is installed.

    Args:
        folder: the model.
        runtime: "onnx", "keras", "saved_model", or "auto" for onnxruntime where it and the graphs are there.
        threads: that onnxruntime computes with; None takes all cores.

    Raises:
        ModelError: a part of the folder is missing or damaged.
        ConfigError: the folder cannot be run so.
    """
    kind = _kind(folder, runtime)
    if kind in ("onnx", "graphs"):
        from captioner.runtimes.onnx import OnnxRuntime

        return OnnxRuntime(folder, kind == "graphs", threads)
    if kind == "saved_model":
        from captioner.runtimes.saved_model import SavedModelRuntime

        return SavedModelRuntime(folder)
    from captioner.runtimes.keras_model import KerasRuntime

    return KerasRuntime.load(folder)


def _kind(folder: pathlib.Path, runtime: str) -> str:
    """What of a folder is run: "keras", its "graphs", or an exported "onnx" or "saved_model"."""
    kind = verify(folder)
    choices = {kind: kind}
    if kind == "keras" and has_graphs(folder):
        choices = {"onnx": "graphs", "keras": "keras"}
    if runtime == "auto":
        light = choices.get("onnx")
        return light if light and (kind == "onnx" or importlib.util.find_spec("onnxruntime")) else kind
    if runtime not in choices:
        raise ConfigError(
            f"runtime of {folder} is auto, {' or '.join(choices)}. Received: {runtime!r}"
            + ("; python -m captioner.export --format graphs adds graphs for onnx" if runtime == "onnx" else "")
        )
    return choices[runtime]
