"""Runs an exported TensorFlow SavedModel: TensorFlow is imported, Keras is not."""

from __future__ import annotations

import pathlib

from captioner.errors import ModelError
from captioner.folders.folder import read_common, read_grid
from captioner.quiet import load_tensorflow
from captioner.runtimes.base import ExportedRuntime


class SavedModelRuntime(ExportedRuntime):
    """The signatures `encode` and `step` of a verified folder."""

    def __init__(self, folder: pathlib.Path):
        self.config, self.vocabulary, self.metrics = read_common(folder)
        tensorflow = load_tensorflow()
        try:
            self._loaded = tensorflow.saved_model.load(str(folder))
            self._step_inputs = set(self._loaded.signatures["step"].structured_input_signature[1])
        except Exception as error:  # TensorFlow raises many types
            reason = str(error).strip().split("\n")[0]
            raise ModelError(f"{folder} holds no SavedModel that TensorFlow can load: {reason}") from None
        self._tensor = tensorflow.constant
        self.grid = read_grid(folder)

    def run_encoder(self, inputs):
        return self._run("encode", inputs)

    def run_step(self, inputs):
        return self._run("step", {name: value for name, value in inputs.items() if name in self._step_inputs})

    def _run(self, signature, inputs):
        try:
            answer = self._loaded.signatures[signature](**{name: self._tensor(value) for name, value in inputs.items()})
        except Exception as error:  # TensorFlow raises many types
            reason = str(error).strip().split("\n")[0]
            raise ModelError(f"the model cannot be run: {reason}; export it again") from None
        return {name: value.numpy() for name, value in answer.items()}
