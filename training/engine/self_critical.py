"""Self-critical sequence training: CIDEr-D itself is what is raised (Rennie et al. 2017, arXiv:1612.00563)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

from captioner.config import DecodingOptions
from captioner.network.model import CaptionModel
from captioner.search.controls import Controls
from captioner.search.graphs import Searcher
from captioner.vocabulary import END, PAD, SPECIAL, START, Vocabulary, split_words
from training.data.datasets import Example
from training.data.features import Features
from training.evaluation.metrics import CiderD
from training.hosts.group import ALONE, Hosts

Baseline = Literal["greedy", "samples"]


class Reward:
    """CIDEr-D of captions against the references of training pictures, document frequencies from these.

    The end counts as a word on both sides: without it a caption that breaks off after "in a" loses nothing.

    Args:
        references: of each picture.
        vocabulary: the model's words.
    """

    def __init__(self, references: Sequence[Sequence[str]], vocabulary: Vocabulary):
        self._words = vocabulary.words
        end = SPECIAL[END]
        self._cider = CiderD([[[*split_words(text), end] for text in texts] for texts in references])

    def __call__(self, ids: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Of captions as ids, filled up with PAD: float64 (captions,), 0 to 10."""
        texts = [[self._words[i] for i in row[row != PAD]] for row in ids]
        return self._cider.scores(texts, pictures)


class SelfCriticalBatches:
    """Captions that the model draws of pictures, with how much better each is than what it is measured against.

    Batches are {"annotations": (size, locations, channels), "words": (size, samples, time)} and
    {"targets": (size, samples, time), "advantages": (size, samples)}, time being one more than the longest caption.

    Args:
        network: the network that is trained; it draws with the weights it has when a batch is asked for.
        vocabulary: its words.
        examples: training pictures.
        features: their annotation vectors.
        size: pictures in a batch.
        samples: captions drawn of each.
        baseline: "greedy" is the paper's, the reward of the caption the model would write; "samples" is the mean
            reward of the picture's other samples (Luo 2020, arXiv:2003.09971), which needs no second search.
        seed: of order and draws.
        steps: batches of an epoch; None is all pictures.
        hosts: that share a batch; each draws captions of its own pictures.
        refresh: gives `network` the weights of now, where other variables are trained.
    """

    ahead = False  # a batch depends on the weights that the step before it leaves

    def __init__(
        self,
        network: CaptionModel,
        vocabulary: Vocabulary,
        examples: Sequence[Example],
        features: Features,
        size: int,
        samples: int,
        baseline: Baseline = "greedy",
        seed: int = 0,
        steps: int | None = None,
        hosts: Hosts = ALONE,
        refresh: Callable[[], None] = lambda: None,
    ):
        self.hosts, self.refresh = hosts, refresh
        self.network, self.features, self.size, self.samples = network, features, size, samples
        self.baseline, self.seed, self.steps = baseline, seed, steps
        self.reward = Reward([example.captions for example in examples], vocabulary)
        longest = network.config.decoder.max_words
        self.sampled = Controls.resolve(DecodingOptions(strategy="sample", count=samples), vocabulary, longest)
        self.greedy = Controls.resolve(DecodingOptions(strategy="greedy"), vocabulary, longest)
        self.searchers = {
            controls.options.strategy: Searcher(network.decoder, controls.structure)
            for controls in (self.sampled, self.greedy)
        }
        self.pictures = np.array([place for place, example in enumerate(examples) if example.captions])
        self.begin_epoch(0)

    def __len__(self) -> int:
        return len(self.batches)

    def begin_epoch(self, epoch: int) -> None:
        """The order of an epoch. The pictures that fill no whole batch have their turn in another."""
        self.epoch = epoch
        order = np.random.default_rng((self.seed, epoch)).permutation(self.pictures)
        size = min(self.size, len(self.pictures))
        self.batches = [order[i : i + size] for i in range(0, len(order) - size + 1, size)][: self.steps]

    def __getitem__(self, index: int):
        self.refresh()
        mine = self.hosts.share(len(self.batches[index]))
        pictures = self.batches[index][mine]
        annotations = self.features.take(pictures).astype(np.float32)
        targets = self._targets(self._sample(annotations, index, mine))
        rewards = self.reward(targets.reshape(-1, targets.shape[-1]), pictures.repeat(self.samples))
        rewards = rewards.reshape(targets.shape[:2])
        advantages = rewards - self._baseline(rewards, annotations, pictures)
        words = np.concatenate([np.full_like(targets[:, :, :1], START), targets[:, :, :-1]], axis=2)
        y = {"targets": targets, "advantages": advantages.astype(np.float32), "rewards": rewards.astype(np.float32)}
        return {"annotations": annotations, "words": words}, y

    def _sample(self, annotations: np.ndarray, index: int, mine: slice) -> dict:
        inputs = self.sampled.inputs(self.network.decoder.vocabulary_size)
        rng = np.random.default_rng((self.seed, self.epoch, index))
        inputs["chance"] = rng.random((len(self.batches[index]), *inputs["chance"].shape[1:]), np.float32)[mine]
        return self.searchers["sample"].predict_on_batch({"annotations": annotations, **inputs})

    @staticmethod
    def _targets(found: dict) -> np.ndarray:
        """Words and the end symbol, (batch, captions, time + 1); a caption that was cut has no end."""
        words = np.pad(found["words"], [(0, 0), (0, 0), (0, 1)], constant_values=PAD)
        length = found["length"]
        ended = length < found["words"].shape[2]
        places = np.where(ended, length, words.shape[2] - 1)
        np.put_along_axis(words, places[..., None], np.where(ended, END, PAD)[..., None], axis=2)
        return words.astype(np.int32)

    def _baseline(self, rewards: np.ndarray, annotations: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        if self.baseline == "samples":
            return (rewards.sum(1, keepdims=True) - rewards) / (self.samples - 1)
        found = self.searchers["greedy"].run(annotations, self.greedy)
        return self.reward(self._targets(found)[:, 0], pictures)[:, None]
