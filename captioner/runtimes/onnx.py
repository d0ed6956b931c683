"""Runs an exported ONNX folder with onnxruntime and NumPy: neither Keras nor TensorFlow is imported."""

from __future__ import annotations

import pathlib

import numpy as np

from captioner.errors import ModelError
from captioner.folders.folder import read_common, read_grid
from captioner.runtimes.base import ExportedRuntime


class OnnxRuntime(ExportedRuntime):
    """encoder.onnx and step.onnx of a verified folder."""

    def __init__(self, folder: pathlib.Path):
        try:
            import onnxruntime
        except ImportError:
            raise ModelError(
                f"{folder} is an ONNX model, which needs the package onnxruntime: pip install onnxruntime"
            ) from None
        self.config, self.vocabulary, self.metrics = read_common(folder)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # From bytes, since a model in a file may name further files.
        open_session = lambda name: onnxruntime.InferenceSession(
            (folder / name).read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        try:
            self._encoder, self._step = open_session("encoder.onnx"), open_session("step.onnx")
        except Exception as error:  # onnxruntime raises many types of its own
            reason = str(error).strip().split("\n")[0]
            raise ModelError(f"{folder} holds no ONNX model that onnxruntime can run: {reason}") from None
        self._step_inputs = {value.name for value in self._step.get_inputs()}
        if [value.name for value in self._encoder.get_inputs()] != ["pixels"] or "words" not in self._step_inputs:
            raise ModelError(f"{folder} holds no encoder and step of a captioner; export the model again")
        self.grid = read_grid(folder)

    def run_encoder(self, inputs):
        return _run(self._encoder, inputs)

    def run_step(self, inputs):
        return _run(self._step, {name: value for name, value in inputs.items() if name in self._step_inputs})


def _run(session, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = [value.name for value in session.get_outputs()]
    try:
        return dict(zip(names, session.run(names, inputs), strict=True))
    except Exception as error:  # onnxruntime raises many types of its own
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"the model cannot be run: {reason}; export it again") from None
