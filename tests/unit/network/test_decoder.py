"""The decoder against the paper's equations in NumPy, and step by step against all at once."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from captioner.config import AttentionConfig, DecoderConfig
from captioner.network.decoder import Decoder
from tests.unit.network.decoders import CHANNELS, LOCATIONS, VOCABULARY, built, inputs


def make_decoder(**config) -> Decoder:
    config = DecoderConfig(embedding_size=4, lstm_units=7, **config)
    return built(Decoder(config, AttentionConfig(units=3), VOCABULARY, seed=1), 0.7)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def paper(decoder, annotations, words):
    """Xu et al. 2015, equations 1 to 7, of one picture and one caption: (log-probabilities, masks, gates)."""
    w = {
        name: np.asarray(value)
        for name, value in (vars(decoder.cell) | vars(decoder)).items()
        if hasattr(value, "assign")
    }
    a = {name: np.asarray(value) for name, value in vars(decoder.attention).items() if hasattr(value, "assign")}
    mean = annotations.mean(0)
    h = np.tanh(mean @ w["hidden_kernel"] + w["hidden_bias"])
    c = np.tanh(mean @ w["cell_kernel"] + w["cell_bias"])
    output = w["output_kernel"] if "output_kernel" in w else w["embedding"].T
    rows = []
    for word in words:
        y = w["embedding"][word]
        query = h if decoder.config.query == "previous_state" else np.concatenate([h, y])
        scores = np.tanh(annotations @ a["annotation_kernel"] + a["bias"] + query @ a["query_kernel"])
        scores = scores @ a["score_vector"]
        alpha = np.exp(scores[:, 0] - scores.max())
        alpha /= alpha.sum()
        beta = sigmoid(h @ w["gate_kernel"] + w["gate_bias"]) if "gate_kernel" in w else np.ones(1)
        z = beta * (alpha @ annotations)
        gates = y @ w["word_kernel"] + z @ w["context_kernel"] + h @ w["recurrent_kernel"] + w["bias"]
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        logits = (y + h @ w["output_hidden"] + z @ w["output_context"]) @ output + w["output_bias"]
        rows.append((logits - np.log(np.exp(logits).sum()), alpha, beta.mean()))
    return [np.array(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize(
    "config",
    [{}, {"gate": "vector"}, {"gate": "none"}, {"tie_embeddings": True}, {"query": "previous_state_and_word"}],
)
def test_teacher_forcing_is_the_paper(config):
    decoder = make_decoder(**config)
    annotations, words = inputs()
    outputs = decoder(annotations, words)
    log_probabilities = np.asarray(keras.ops.log_softmax(outputs["logits"]))
    assert ("gate" in outputs) == (config.get("gate") != "none")
    for picture in range(3):
        for caption in range(2):
            expected = paper(decoder, annotations[picture], words[picture, caption])
            np.testing.assert_allclose(log_probabilities[picture, caption], expected[0], atol=2e-5)
            np.testing.assert_allclose(outputs["weights"][picture, caption], expected[1], atol=1e-5)
            if "gate" in outputs:
                np.testing.assert_allclose(outputs["gate"][picture, caption], expected[2], atol=1e-5)


def test_masks_sum_to_one_and_differ_from_word_to_word():
    annotations, words = inputs()
    weights = np.asarray(make_decoder()(annotations, words)["weights"])
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert np.abs(np.diff(weights, axis=2)).sum(-1).min() > 1e-3


@pytest.mark.parametrize("query", ["previous_state", "previous_state_and_word"])
def test_steps_add_up_to_teacher_forcing(query):
    decoder = make_decoder(query=query)
    annotations, words = inputs()
    whole = keras.ops.log_softmax(decoder(annotations, words)["logits"])
    memory = decoder.prepare(annotations)
    state = decoder.initial_state(annotations, memory, 2)
    for time in range(words.shape[2]):
        log_probabilities, state, _ = decoder.step(words[:, :, time], state, memory)
        np.testing.assert_allclose(log_probabilities, whole[:, :, time], atol=1e-5)


def test_what_follows_changes_nothing_before_it():
    decoder = make_decoder()
    annotations, words = inputs(time=5)
    longer = np.concatenate([words, np.zeros_like(words)], axis=2)
    np.testing.assert_allclose(
        decoder(annotations, longer)["logits"][:, :, :5], decoder(annotations, words)["logits"], atol=1e-5
    )


def test_dropout_acts_in_training_only():
    decoder = Decoder(DecoderConfig(), AttentionConfig(), VOCABULARY, dropout=0.5, input_dropout=0.5, state_dropout=0.5)
    decoder.build((None, LOCATIONS, CHANNELS))
    annotations, words = inputs()
    calm = [np.asarray(decoder(annotations, words)["logits"]) for _ in range(2)]
    wild = [np.asarray(decoder(annotations, words, training=True)["logits"]) for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    assert np.abs(wild[0] - wild[1]).max() > 1e-3
