"""How likely a captioning model finds texts of a photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from captioner.network.model import CaptionModel
from captioner.search.graphs import DecoderGraph
from captioner.vocabulary import PAD, START, Vocabulary, split_words
from training.data.pipeline import BUCKETS, caption_ids


class Judge:
    """Ranks texts for a photo by the mean log-probability that a model gives their words and their end.

    Args:
        model: the captioning model.
        vocabulary: its words.
        max_words: a longer text is cut.
        at_once: texts that are judged together, which a decoder has to know before.
    """

    def __init__(self, model: CaptionModel, vocabulary: Vocabulary, max_words: int, at_once: int = 25):
        self.graph, self.vocabulary, self.max_words = Likelihood(model.decoder), vocabulary, max_words
        self.at_once = at_once

    def __call__(self, annotations: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """A score for each text, -inf for one with a word that the model does not know.

        Args:
            annotations: of the photo, (locations, channels).
            texts: as people wrote them.
        """
        words = [split_words(text) for text in texts]
        parts = [words[start : start + self.at_once] for start in range(0, len(words), self.at_once)]
        found = np.concatenate([self._judge(annotations, part) for part in parts])
        known = [all(word in self.vocabulary for word in of_text) for of_text in words]
        return np.where(known, found, -np.inf)

    def _judge(self, annotations: np.ndarray, words: list[list[str]]) -> np.ndarray:
        ids = [caption_ids(of_text, self.vocabulary, self.max_words) for of_text in words]
        steps = next(steps for steps in BUCKETS if steps >= max(map(len, ids)))
        targets = np.full((1, self.at_once, steps), PAD, np.int32)
        for row, of_text in enumerate(ids):
            targets[0, row, : len(of_text)] = of_text
        read = np.concatenate([np.full_like(targets[:, :, :1], START), targets[:, :, :-1]], axis=2)
        inputs = {"annotations": annotations[None], "words": read, "targets": targets}
        return self.graph.predict_on_batch(inputs)[0][: len(words)]


class Likelihood(DecoderGraph):
    """Mean log-probability of the targets of each caption: (batch, captions)."""

    def call(self, inputs):
        targets = inputs["targets"]
        logits = self.decoder(ops.cast(inputs["annotations"], "float32"), inputs["words"])["logits"]
        of_words = ops.take_along_axis(ops.log_softmax(logits, axis=-1), targets[..., None], axis=-1)[..., 0]
        counts = ops.cast(targets != PAD, of_words.dtype)
        return ops.sum(of_words * counts, axis=-1) / ops.maximum(ops.sum(counts, axis=-1), 1)
