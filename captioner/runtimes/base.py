"""What every runtime offers, and how one without a search of its own does it in plain NumPy."""

from __future__ import annotations

import abc
import math
import os
from typing import Any

import numpy as np

from captioner.config import ModelConfig
from captioner.errors import ModelError
from captioner.search import in_numpy
from captioner.search.controls import Controls
from captioner.vocabulary import Vocabulary


class Runtime(abc.ABC):
    """A model that can be run.

    Attributes:
        config: how the network is built.
        vocabulary: the words it knows.
        metrics: what it reached, as written in its folder.
        grid: rows and columns of its attention masks.
        encodes_at_once: batches that threads may give the encoder at once, where that makes use of all cores.
    """

    config: ModelConfig
    vocabulary: Vocabulary
    metrics: dict[str, Any]
    grid: tuple[int, int]
    encodes_at_once = 1

    @abc.abstractmethod
    def encode(self, squares: np.ndarray) -> Any:
        """What the other methods take, of uint8 squares (batch, size, size, 3)."""

    @abc.abstractmethod
    def search(self, encoded: Any, controls: Controls) -> dict[str, np.ndarray]:
        """Captions of a batch, as `captioner.search.in_graph.search` returns them."""

    @abc.abstractmethod
    def score(self, encoded: Any, ids: list[int], controls: Controls) -> dict[str, np.ndarray]:
        """Given words of one picture, teacher-forced, as a search of width one returns them."""

    @abc.abstractmethod
    def start(self, encoded: Any) -> tuple[Any, Any]:
        """Memory and state, one hypothesis a picture."""

    @abc.abstractmethod
    def step(self, words: np.ndarray, state: Any, memory: Any) -> tuple[np.ndarray, Any, dict[str, np.ndarray]]:
        """One step of (batch, hypotheses) words: log-probabilities, state, outputs, as `Decoder.step`."""

    def check_step(self, words: np.ndarray, log_probabilities: np.ndarray | None, weights: np.ndarray | None) -> None:
        """Raise a `ModelError` for an answer that no search can use, such as NaN, which is neither more nor less."""
        check_numbers(log_probabilities, "its log-probabilities", (*words.shape, len(self.vocabulary)))
        if log_probabilities.max() > 0.01:  # more than rounding; captions would get the likelier the longer they are
            raise ModelError("the model does not answer as a captioner does: its log-probabilities are above 0")
        check_numbers(weights, "its masks", (*words.shape, math.prod(self.grid)))


def check_numbers(values: np.ndarray | None, name: str, shape: tuple[int, ...]) -> None:
    """Raise a `ModelError` unless `values` has this shape and finite numbers alone."""
    if values is None or values.shape != shape:
        came = "nothing" if values is None else f"shape {values.shape}"
        raise ModelError(f"the model does not answer as a captioner does: {name} have shape {shape}. Received: {came}")
    if not np.isfinite(values).all():
        raise ModelError(f"the model's numbers are damaged: {name} are not finite; copy or train the model again")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ExportedRuntime(Runtime):
    """A runtime of two functions, encoder and step, whose tensors are named as `captioner.export` says.

    `encode` gives one dictionary of arrays whose first axis is the picture.
    """

    def search(self, encoded, controls):
        memory, state = self.start(encoded)
        pictures = len(next(iter(encoded.values())))
        return in_numpy.as_found(in_numpy.search_all(self.step, memory, state, controls, pictures), controls)

    def score(self, encoded, ids, controls):
        memory, state = self.start(encoded)
        return in_numpy.as_found([[in_numpy.score(self.step, memory, state, ids, controls)]], controls)

    def encode(self, squares):
        encoded = self.run_encoder({"pixels": squares})
        for name, values in encoded.items():
            check_numbers(values, f"its encoder's {name}", (len(squares), *values.shape[1:]))
        return encoded

    def start(self, encoded):
        return _branch(encoded, "memory"), _branch(encoded, "state")

    def step(self, words, state, memory):
        answer = self.run_step({"words": words, **state, **memory})
        self.check_step(words, answer.get("log_probabilities"), answer.get("outputs_weights"))
        outputs = {
            name.removeprefix("outputs_"): value for name, value in answer.items() if name.startswith("outputs_")
        }
        state = {f"state_{name.removeprefix('next_')}": value for name, value in _branch(answer, "next").items()}
        return answer["log_probabilities"], state, outputs

    @abc.abstractmethod
    def run_encoder(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The exported encoder: named tensors in, named tensors out."""

    @abc.abstractmethod
    def run_step(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The exported step: named tensors in, named tensors out."""


def _branch(tensors: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {path: value for path, value in tensors.items() if path.startswith(f"{name}_")}
