"""Scheduled sampling: the decoder reads words of its own now and then (Bengio et al. 2015, arXiv:1506.03099)."""

from __future__ import annotations

import keras
from keras import ops

from captioner.network.decoder import Decoder


def mix_words(decoder: Decoder, annotations, words, share, seeds: keras.random.SeedGenerator):
    """Replace words that the decoder reads by words it draws itself, one after the other.

    At each step a coin decides, for each caption, whether the true word before is read or one drawn from what the
    decoder predicted there, having read a mixed caption so far. As in the paper no gradient flows through the draw;
    the caller runs the mixed words through the decoder once more, with gradients.

    Args:
        decoder: in inference mode, without dropout.
        annotations: (batch, locations, channels).
        words: ids (batch, captions, time), the start symbol first; what teacher forcing would read.
        share: probability of a word of its own, a number or a scalar tensor.
        seeds: what coins and draws come from.

    Returns:
        ids of the shape of `words`.
    """
    coins = keras.random.uniform(ops.shape(words), seed=seeds)
    chances = keras.random.uniform(ops.shape(words), seed=seeds)
    memory = decoder.prepare(annotations)
    state = decoder.initial_state(annotations, memory, words.shape[1])
    # One tensor: on TensorFlow a scan takes no more than one of unknown length. Ids are exact in float32.
    in_time = ops.moveaxis(ops.stack([ops.cast(words, "float32"), coins, chances], axis=-1)[:, :, 1:], 2, 0)

    def step(carry, now):
        read, state = carry
        true_word, coin, chance = ops.cast(now[..., 0], words.dtype), now[..., 1], now[..., 2]
        log_probabilities, state, _ = decoder.step(read, state, memory)
        drawn = ops.cast(_draw(log_probabilities, chance), words.dtype)
        carry = (ops.where(coin < share, drawn, true_word), state)
        return carry, carry  # Keras wants what a scan returns to match its carry

    _, (mixed, _) = ops.scan(step, (words[:, :, 0], state), in_time)
    return ops.stop_gradient(ops.concatenate([words[:, :, :1], ops.moveaxis(mixed, 0, 2)], axis=2))


def _draw(log_probabilities, chance):
    """The word in which the running sum of the probabilities passes `chance`."""
    passed = ops.cast(ops.cumsum(ops.exp(log_probabilities), axis=-1) < chance[..., None], "int32")
    return ops.minimum(ops.sum(passed, axis=-1), log_probabilities.shape[-1] - 1)
