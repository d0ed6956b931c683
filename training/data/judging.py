"""How likely a captioning model finds texts of a photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from captioner.network.model import CaptionModel
from captioner.search.graphs import DecoderGraph
from captioner.vocabulary import PAD, START, Vocabulary, split_words
from training.data.detections import Names
from training.data.pipeline import BUCKETS, caption_ids


class Judge:
    """Ranks texts for a photo by the mean log-probability that a model gives their words and their end.

    Args:
        model: the captioning model.
        vocabulary: its words.
        max_words: a longer text is cut.
        at_once: texts that are judged together, which a decoder has to know before.
        vouched: words that name one of these classes are taken as given, since a detector vouches for them: they are
            read, as the unknown word where the model does not know them, and not judged.
    """

    def __init__(
        self,
        model: CaptionModel,
        vocabulary: Vocabulary,
        max_words: int,
        at_once: int = 25,
        vouched: Names | None = None,
    ):
        self.graph, self.vocabulary, self.max_words = Likelihood(model.decoder), vocabulary, max_words
        self.at_once, self.vouched = at_once, vouched or Names(())

    def __call__(self, annotations: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        """A score for each text, -inf for one with a word that the model does not know.

        Args:
            annotations: of the photo, (locations, channels).
            texts: as people wrote them.
        """
        words = [split_words(text) for text in texts]
        parts = [words[start : start + self.at_once] for start in range(0, len(words), self.at_once)]
        found = np.concatenate([self._judge(annotations, part) for part in parts])
        return np.where([self._knows(of_text) for of_text in words], found, -np.inf)

    def _knows(self, words: list[str]) -> bool:
        given = self.vouched.find(words)
        return all(word in self.vocabulary or place in given for place, word in enumerate(words))

    def _judge(self, annotations: np.ndarray, words: list[list[str]]) -> np.ndarray:
        ids = [caption_ids(of_text, self.vocabulary, self.max_words) for of_text in words]
        steps = next(steps for steps in BUCKETS if steps >= max(map(len, ids)))
        targets = np.full((1, self.at_once, steps), PAD, np.int32)
        for row, of_text in enumerate(ids):
            targets[0, row, : len(of_text)] = of_text
        read = np.concatenate([np.full_like(targets[:, :, :1], START), targets[:, :, :-1]], axis=2)
        for row, of_text in enumerate(words):
            targets[0, row, [place for place in self.vouched.find(of_text) if place < self.max_words]] = PAD
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
