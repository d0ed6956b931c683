"""How an attention that draws where it looks learns: the part of its gradient that does not run through the words."""

from __future__ import annotations

import keras
from keras import ops

from training.engine.losses import word_mask


class Reinforce(keras.layers.Layer):
    """Minus the two sampled terms of Xu et al. 2015, section 4.1, as a loss:

    (log p(y | s, a) - b) d log p(s | a) and lambda_e d H(s), with the moving average b <- 0.9 b + 0.1 log p(y | s, a).

    log p(y | s, a) is the mean over a caption's words here, not their sum, so that one baseline serves captions of all
    lengths; so is log p(s | a).

    Args:
        weight: lambda_r, of the first term.
        entropy: lambda_e, of the second.
        momentum: share of the baseline that stays at each step.
    """

    def __init__(self, weight: float = 1.0, entropy: float = 0.002, momentum: float = 0.9, **kwargs):
        super().__init__(**kwargs)
        self.weight, self.entropy, self.momentum = weight, entropy, momentum
        self.baseline = self.add_weight((), "zeros", name="baseline", trainable=False)
        self.begun = self.add_weight((), "zeros", name="begun", trainable=False)
        self.built = True

    def loss(self, outputs: dict, targets):
        """What is added to the cross entropy.

        Args:
            outputs: of the network: "logits" (batch, captions, time, vocabulary), "choice_log_probability" and
                "attention_entropy" (batch, captions, time).
            targets: ids (batch, captions, time).
        """
        mask = word_mask(targets)
        of_words = ops.take_along_axis(ops.log_softmax(outputs["logits"], axis=-1), targets[..., None], axis=-1)[..., 0]
        words = ops.maximum(ops.sum(mask, axis=-1), 1.0)
        reward = ops.stop_gradient(ops.sum(of_words * mask, axis=-1) / words)
        real = ops.max(mask, axis=-1)
        captions = ops.maximum(ops.sum(real), 1.0)
        baseline = self._follow(ops.sum(reward * real) / captions)
        chosen = ops.sum(outputs["choice_log_probability"] * mask, axis=-1) / words
        gain = ops.sum((reward - baseline) * chosen * real) / captions
        spread = ops.sum(outputs["attention_entropy"] * mask) / ops.maximum(ops.sum(mask), 1.0)
        return -self.weight * gain - self.entropy * spread

    def _follow(self, reward):
        """The baseline before this batch, which the batch then moves; the first batch is its own."""
        before = ops.where(self.begun > 0, ops.convert_to_tensor(self.baseline), reward)
        self.baseline.assign(self.momentum * before + (1.0 - self.momentum) * reward)
        self.begun.assign(ops.ones(()))
        return before
