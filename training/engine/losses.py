"""What training minimises. Every term is a mean over real words or real captions; padding counts for nothing."""

from __future__ import annotations

from keras import ops

from captioner.search.controls import IMPOSSIBLE
from captioner.vocabulary import NEVER_WRITTEN, PAD


def word_mask(targets):
    """1 where a target is a word or the end, 0 where it is padding: float32, shape of `targets`.

    Taken from the targets: one from the inputs would drop the end symbol or keep a padded one.
    """
    return ops.cast(ops.not_equal(targets, PAD), "float32")


def _mean(values, mask):
    return ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)


def cross_entropy(logits, targets, smoothing: float = 0.0):
    """Mean negative log-probability of the words, with `smoothing` of the target mass spread over all words.

    Args:
        logits: (batch, captions, time, vocabulary).
        targets: ids (batch, captions, time).
    """
    if smoothing:
        words = logits.shape[-1]
        wanted = (1.0 - smoothing) * ops.one_hot(targets, words, dtype=logits.dtype) + smoothing / words
        loss = ops.categorical_crossentropy(wanted, logits, from_logits=True)
    else:
        loss = ops.sparse_categorical_crossentropy(targets, logits, from_logits=True)
    return _mean(loss, word_mask(targets))


def policy_gradient(logits, targets, advantages):
    """REINFORCE with a baseline over drawn captions (Rennie et al. 2017, equation 8): -advantage * log p(caption).

    Averaged over words, so that the rate means the same for short and long captions. p is what captions are drawn from,
    without the symbols that are never written: they would take up whatever drawn words lose.

    Args:
        logits: (batch, captions, time, vocabulary).
        targets: ids of the drawn captions (batch, captions, time).
        advantages: (batch, captions), reward less baseline; no gradient flows into it.
    """
    never = ops.sum(ops.one_hot(list(NEVER_WRITTEN), logits.shape[-1], dtype=logits.dtype), axis=0)
    loss = ops.sparse_categorical_crossentropy(targets, logits + IMPOSSIBLE * never, from_logits=True)
    return _mean(advantages[..., None] * loss, word_mask(targets))


def accuracy(logits, targets):
    """Share of words that the model would have put first."""
    of_target = ops.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    right = ops.cast(of_target >= ops.max(logits, axis=-1), "float32")  # quicker than argmax
    return _mean(right, word_mask(targets))


def doubly_stochastic(weights, targets):
    """sum_i (1 - sum_t alpha_ti)^2, averaged over captions (Xu et al. 2015, equation 14).

    The target is the paper's 1 for each location, whatever the length of the caption; the sum runs over the
    locations of the grid, and over real words only.

    Args:
        weights: (batch, captions, time, locations).
        targets: ids (batch, captions, time).
    """
    mask = word_mask(targets)
    looked = ops.sum(weights * mask[..., None], axis=2)
    penalty = ops.sum(ops.square(1.0 - looked), axis=-1)
    return _mean(penalty, ops.max(mask, axis=-1))


def outside_boxes(weights, box_shares):
    """-log of the attention inside the boxes of a word, averaged over the words that have boxes.

    After Liu et al. 2017, "Attention correctness in neural image captioning", equation 7.

    Args:
        weights: (batch, captions, time, locations).
        box_shares: share of each cell that lies in the word's boxes, same shape; all 0 for a word without boxes.
    """
    inside = ops.sum(weights * box_shares, axis=-1)
    boxed = ops.cast(ops.max(box_shares, axis=-1) > 0, "float32")
    return _mean(-ops.log(inside + 1e-6), boxed)
