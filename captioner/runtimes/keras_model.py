"""Runs a model folder of this project with Keras: every strategy, the search inside the graph."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from captioner.controls import Controls, Structure
from captioner.folder import read_common
from captioner.quiet import load_keras
from captioner.runtimes.base import Runtime
from captioner.vocabulary import Vocabulary

load_keras()

import keras

from captioner.graphs import Scorer, Searcher, Starter, Stepper
from captioner.model import CaptionModel
from captioner.store import build_model


class KerasRuntime(Runtime):
    """A network in memory.

    Args:
        model: the network.
        vocabulary: its words.
        metrics: what it reached.
    """

    def __init__(self, model: CaptionModel, vocabulary: Vocabulary, metrics: dict[str, Any] | None = None):
        self.model, self.vocabulary, self.metrics = model, vocabulary, metrics or {}
        self.config, self.grid = model.config, model.encoder.grid
        size = self.config.encoder.image_size
        self._encode = keras.Sequential([keras.Input((size, size, 3), dtype="uint8"), model.encoder])
        self._encode.compile(jit_compile=False)
        self._searchers: dict[Structure, Searcher] = {}
        self._scorer = Scorer(model.decoder)
        self._starter = Starter(model.decoder)
        self._stepper = Stepper(model.decoder)

    @classmethod
    def load(cls, folder: pathlib.Path) -> KerasRuntime:
        """The model of a verified folder."""
        config, vocabulary, metrics = read_common(folder)
        return cls(build_model(folder, config, vocabulary), vocabulary, metrics)

    def encode(self, squares):
        return self._encode.predict_on_batch(squares)

    def search(self, encoded, controls: Controls):
        structure = controls.structure
        if structure not in self._searchers:
            self._searchers[structure] = Searcher(self.model.decoder, structure)
        return self._searchers[structure].run(encoded, controls)

    def score(self, encoded, ids, controls):
        banned = controls.banned(len(self.vocabulary))
        words = np.array([ids], np.int32)
        return self._scorer.predict_on_batch({"annotations": encoded, "words": words, "banned": banned})

    def start(self, encoded):
        return self._starter.predict_on_batch(encoded)

    def step(self, words, state, memory):
        return self._stepper.predict_on_batch({"words": words, "state": state, "memory": memory})
