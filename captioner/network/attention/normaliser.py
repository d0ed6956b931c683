"""What makes weights of scores."""

from __future__ import annotations

import abc
from typing import NamedTuple, Self

import keras

from captioner.config import AttentionConfig


class Surroundings(NamedTuple):
    """What a mechanism works in.

    Attributes:
        grid: rows and columns of the annotation vectors.
        steps: longest caption, in words.
        seed: of what is drawn in training.
    """

    grid: tuple[int, int] = (1, 1)
    steps: int = 20
    seed: int | None = None


class Normaliser(keras.layers.Layer):
    """Makes weights, which sum to 1, of the scores of all locations.

    `normalise` takes `scores` (batch, queries, [heads,] locations), the `query` (batch, queries, query_size) they
    belong to, and its `state`. It returns the weights that the context is summed with, the weights that are shown and
    that losses on masks see, the next state, and a dictionary of further tensors to report. The two kinds of weights
    are the same but where training draws a location.

    Attributes:
        samples: whether training draws where to look.
        sequential: whether a step needs the state of the one before it, so that words cannot be read all at once.
    """

    samples = False
    sequential = False

    def __init__(self, **kwargs):
        super().__init__(
            **{"name": "normaliser", **kwargs}
        )  # else Keras numbers it through the process, and its weights

    @classmethod
    def from_config(cls, config: AttentionConfig, surroundings: Surroundings) -> Self:
        """The normaliser of a description."""
        return cls()

    def build(self, query_shape):
        self.built = True

    def initial_state(self, lead, training: bool):
        """What is carried from word to word; `lead` is (batch, queries[, heads])."""
        return ()

    @abc.abstractmethod
    def normalise(self, scores, query, state):
        """Weights of scores."""


def like_scores(values, scores):
    """(batch, queries, locations) with an axis for the heads where the scores have one."""
    return values[:, :, None] if len(scores.shape) == 4 else values
