"""Hard attention: one location at a time, drawn in training."""

from __future__ import annotations

from typing import Self

import keras
from keras import ops

from captioner.config import AttentionConfig
from captioner.network.attention.normaliser import Normaliser, Surroundings

# The "minimal standard" generator of Park & Miller 1988 with Schrage's split, which stays within 32 bits: drawn
# inside a loop, numbers have to come out of the loop's own state.
MODULUS, MULTIPLIER, QUOTIENT, REMAINDER = 2147483647, 16807, 127773, 2836


def next_random(numbers):
    """The numbers that follow: int32, 1 to MODULUS - 1."""
    following = MULTIPLIER * (numbers % QUOTIENT) - REMAINDER * (numbers // QUOTIENT)
    return ops.where(following > 0, following, following + MODULUS)


def draw(weights, chance):
    """One location each, with the probabilities `weights`, by the number `chance` from 0 to 1: one-hot."""
    size = weights.shape[-1]
    passed = ops.sum(ops.cast(ops.cumsum(weights, axis=-1) <= chance[..., None], "int32"), axis=-1)
    return ops.one_hot(ops.minimum(passed, size - 1), size, dtype="float32")


class Hard(Normaliser):
    """Looks at one location, s ~ Multinoulli(alpha), alpha = softmax(e).

    In training a location is drawn for each word; half of the captions see the expected context instead, which lowers
    the variance. The gradient with respect to alpha is that of REINFORCE, see `training.engine.reinforce`, which needs
    two tensors that are reported then: "choice_log_probability", log alpha_s where a location was drawn, and
    "attention_entropy". Losses on masks see alpha. Once trained, the likeliest location is taken.

    Args:
        inference: "argmax", or "expectation": the context that is to be expected, as soft attention has it.
        seed: of what is drawn.

    Reference:
        Xu et al. 2015, "Show, Attend and Tell", section 4.1.
    """

    samples = True

    @classmethod
    def from_config(cls, config: AttentionConfig, surroundings: Surroundings) -> Self:
        return cls(config.inference, surroundings.seed)

    def __init__(self, inference: str = "argmax", seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.inference = inference
        self.seeds = keras.random.SeedGenerator(seed)

    def initial_state(self, lead, training: bool):
        if not training:
            return ()
        numbers = ops.cast(keras.random.uniform(lead, 1.0, 2.0**31 - 256, seed=self.seeds), "int32")
        expected = ops.cast(keras.random.uniform(lead, seed=self.seeds) < 0.5, "float32")
        return {"random": numbers, "expected": expected}

    def normalise(self, scores, query, state):
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        if not state:
            used = self._best(weights) if self.inference == "argmax" else weights
            return used, used, state, {}
        random = next_random(state["random"])
        drawn = ops.stop_gradient(draw(weights, ops.cast(random, "float32") / MODULUS))
        expected = state["expected"]
        log_weights = ops.log_softmax(ops.cast(scores, "float32"), axis=-1)
        report = {
            "choice_log_probability": (1.0 - expected) * ops.sum(drawn * log_weights, axis=-1),
            "attention_entropy": -ops.sum(weights * log_weights, axis=-1),
        }
        report = {name: _over_heads(value) for name, value in report.items()}
        used = expected[..., None] * weights + (1.0 - expected[..., None]) * drawn
        return used, weights, {"random": random, "expected": expected}, report

    def _best(self, weights):
        _, place = ops.top_k(weights, 1)  # exporters know it; Keras's argmax looks at bits
        return ops.one_hot(place[..., 0], weights.shape[-1], dtype="float32")


def _over_heads(value):
    """Heads choose independently of each other: their log-probabilities and entropies add up."""
    return ops.sum(value, axis=-1) if len(value.shape) == 3 else value
