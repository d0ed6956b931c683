"""The Transformer decoder: causal, and the same step by step as all at once, for captions longer than it keeps too."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner import ConfigError
from captioner.config import AttentionConfig, DecoderConfig
from captioner.network.decoder.transformer import TransformerDecoder
from tests.unit.network.decoders import VOCABULARY, built, inputs


def make(attention=None, **config) -> TransformerDecoder:
    values = {"kind": "transformer", "embedding_size": 8, "lstm_units": 12, "max_words": 3, "heads": 2, **config}
    attention = AttentionConfig(**{"kind": "scaled_dot", "units": 8, "heads": 2, **(attention or {})})
    return built(TransformerDecoder(DecoderConfig(**values), attention, VOCABULARY, seed=1), 0.5)


@pytest.mark.parametrize("time", [4, 7])
@pytest.mark.parametrize("tied", [True, False])
def test_steps_add_up_to_teacher_forcing(time, tied):
    decoder = make(tie_embeddings=tied, layers=2)
    annotations, words = inputs(time=time)
    outputs = decoder(annotations, words)
    whole = keras.ops.log_softmax(outputs["logits"])
    memory = decoder.prepare(annotations)
    state = decoder.initial_state(annotations, memory, 2)
    for t in range(time):
        log_probabilities, state, at = decoder.step(words[:, :, t], state, memory)
        np.testing.assert_allclose(log_probabilities, whole[:, :, t], atol=1e-4)
        np.testing.assert_allclose(at["weights"], outputs["weights"][:, :, t], atol=1e-4)
        np.testing.assert_allclose(at["heads"], outputs["heads"][:, :, t], atol=1e-4)


def test_what_follows_changes_nothing_before_it():
    decoder = make()
    annotations, words = inputs(time=5)
    changed = words.copy()
    changed[:, :, 3:] = 4 + (changed[:, :, 3:] - 3) % 5
    first, second = (np.asarray(decoder(annotations, of)["logits"]) for of in (words, changed))
    np.testing.assert_allclose(first[:, :, :3], second[:, :, :3], atol=1e-5)
    assert np.abs(first[:, :, 3:] - second[:, :, 3:]).max() > 1e-3


def test_order_matters():
    decoder = make()
    annotations, words = inputs(time=4)
    words[:, :, 1], words[:, :, 2] = 4, 5
    swapped = words.copy()
    swapped[:, :, 1], swapped[:, :, 2] = 5, 4
    first, second = (np.asarray(decoder(annotations, of)["logits"]) for of in (words, swapped))
    assert np.abs(first[:, :, 3] - second[:, :, 3]).max() > 1e-3


def test_any_mechanism_that_does_not_go_from_word_to_word_may_look():
    annotations, words = inputs()
    outputs = make({"kind": "additive", "heads": 1, "sentinel": True})(annotations, words)
    np.testing.assert_allclose(np.asarray(outputs["weights"]).sum(-1), 1, atol=1e-5)
    assert outputs["sentinel"].shape == words.shape
    for normaliser in ("hard", "local_monotonic"):
        with pytest.raises(ConfigError, match=f"reads all words of a caption at once.*Received: '{normaliser}'"):
            make({"normaliser": normaliser})


def test_sizes_that_do_not_split_are_refused():
    with pytest.raises(ConfigError, match="multiple of decoder.heads 3. Received: 8"):
        make(heads=3)
