"""Runs a model folder of this project with Keras: every strategy, the search inside the graph."""

from __future__ import annotations

import collections
import concurrent.futures
import dataclasses
import functools
import pathlib
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from captioner.folders.folder import read_common
from captioner.quiet import load_keras
from captioner.runtimes.base import Runtime, check_numbers, cores
from captioner.search.controls import IMPOSSIBLE, Controls, Structure
from captioner.vocabulary import END, PAD, START, Vocabulary

load_keras()

import keras

from captioner.folders.keras_folder import build_model
from captioner.network.attention.fusion import fusing
from captioner.network.model import CaptionModel
from captioner.search.graphs import Encoding, Scorer, Searcher, Starter, Stepper

KEPT_SEARCHES = 8  # compiled searches; each takes up to 90 MB


class AnyBatch:
    """A graph that TensorFlow traces once for batches of every size; other backends compile as Keras does.

    Keras's own `predict_on_batch` traces a network again for a second batch size, such as that of the last pictures of
    a folder, which takes seconds.

    Args:
        graph: a compiled Keras model that takes a dictionary of arrays.
        batched: names of the arrays whose first axis is the picture.
        compiler: what makes one loop of several operations, on TensorFlow; graphs of one network share it.
    """

    def __init__(self, graph: keras.Model, batched: tuple[str, ...], compiler: Callable[[Callable], Callable] | None):
        self._graph, self._batched, self._compiler, self._traced = graph, batched, compiler, None
        self._tracing = threading.Lock()

    def __call__(self, inputs: dict[str, np.ndarray]) -> Any:
        if keras.backend.backend() != "tensorflow":
            return self._graph.predict_on_batch(inputs)
        with self._tracing:
            self._traced = self._traced or self._trace(inputs)
        return keras.tree.map_structure(np.asarray, self._traced(inputs))

    def _trace(self, inputs):
        import tensorflow as tf

        def spec(name, value):
            shape = (None, *value.shape[1:]) if name in self._batched else value.shape
            return tf.TensorSpec(shape, value.dtype, name=name)

        traced = tf.function(self._graph, [{name: spec(name, value) for name, value in inputs.items()}])
        with fusing(self._compiler):
            traced.get_concrete_function()
        return traced


def _compiler() -> Callable[[Callable], Callable] | None:
    """What compiles loops for the graphs of one network; None where the backend does so by itself."""
    if keras.backend.backend() != "tensorflow":
        return None
    from captioner.runtimes.tensorflow_ops import OneLoop

    return OneLoop()


class KerasRuntime(Runtime):
    """A network in memory, whose weights stay as they are.

    Args:
        model: the network.
        vocabulary: its words.
        metrics: what it reached.
    """

    def __init__(self, model: CaptionModel, vocabulary: Vocabulary, metrics: dict[str, Any] | None = None):
        self.model, self.vocabulary, self.metrics = model, vocabulary, metrics or {}
        self.config, self.grid = model.config, model.encoder.grid
        self._compiler = _compiler()
        self._encode = AnyBatch(Encoding(model.encoder), ("pixels",), self._compiler)
        self._searchers: collections.OrderedDict[Structure, AnyBatch] = collections.OrderedDict()
        self._searching = threading.Lock()
        threads = keras.backend.backend() == "tensorflow" and cores() > 1  # other backends compile for each batch size
        self._workers = concurrent.futures.ThreadPoolExecutor(cores()) if threads else None
        self._scorer = Scorer(model.decoder)
        self._starter = Starter(model.decoder)
        self._stepper = Stepper(model.decoder)

    @classmethod
    def load(cls, folder: pathlib.Path) -> KerasRuntime:
        """The model of a verified folder."""
        config, vocabulary, metrics = read_common(folder)
        return cls(build_model(folder, config, vocabulary), vocabulary, metrics)

    @functools.cached_property
    def _tables(self):
        return self.model.decoder.tables()

    def encode(self, squares):
        several = self._workers and len(squares) > 1
        encoded = self._one_a_core(squares) if several else self._encode({"pixels": squares})
        check_numbers(encoded, "its annotation vectors", encoded.shape)
        return encoded

    def _one_a_core(self, squares):
        """The encoder with one core for each photo, which wait for each other less than cores that share a batch."""
        photos = [{"pixels": squares[at : at + 1]} for at in range(len(squares))]
        return np.concatenate(list(self._workers.map(self._encode, photos)))

    def search(self, encoded, controls: Controls):
        # Room for the model's own longest caption, or a multiple: captions of other lengths need no other graph.
        longest = self.config.decoder.max_words
        roomy = dataclasses.replace(controls, room=-(-controls.max_words // longest) * longest)
        found = self._searcher(roomy.structure)({"annotations": encoded, **roomy.inputs(len(self.vocabulary))})
        if not (found["log_probability"][:, 0] > IMPOSSIBLE / 2).all():  # not even one that NaN has not shut out
            memory, state = self.start(encoded)
            self.step(np.full((len(encoded), 1), START, np.int32), state, memory)
        return {name: value[:, :, : controls.max_words] if value.ndim > 2 else value for name, value in found.items()}

    def _searcher(self, structure: Structure) -> AnyBatch:
        """The compiled search of a structure; those that were used last are kept."""
        with self._searching:
            searcher = self._searchers.pop(structure, None)
            if searcher is None:
                graph = Searcher(self.model.decoder, structure, self._tables)
                searcher = AnyBatch(graph, ("annotations",), self._compiler)
            self._searchers[structure] = searcher
            while len(self._searchers) > KEPT_SEARCHES:
                self._searchers.popitem(last=False)
            return searcher

    def score(self, encoded, ids, controls):
        # A new length would be traced anew, which takes seconds: the end is made a word, and padding follows it.
        count, longest = len(ids), self.config.decoder.max_words + 1
        words = np.full((1, -(-(count + 1) // longest) * longest), PAD, np.int32)
        words[0, : count + 1] = [*ids, END]
        banned = controls.banned(len(self.vocabulary))
        found = self._scorer.predict_on_batch({"annotations": encoded, "words": words, "banned": banned})
        check_numbers(found["word_log_probabilities"], "its log-probabilities", (1, 1, words.shape[1]))
        total = found["word_log_probabilities"][..., : count + 1].sum(-1)
        kept = {name: values[:, :, :count] for name, values in found.items() if values.ndim > 2}
        return {**kept, "length": np.full((1, 1), count), "log_probability": total}

    def start(self, encoded):
        return self._starter.predict_on_batch(encoded)

    def step(self, words, state, memory):
        answer = self._stepper.predict_on_batch({"words": words, "state": state, "memory": memory})
        self.check_step(words, answer[0], answer[2].get("weights"))
        return answer
