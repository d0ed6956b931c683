"""Every mechanism of the comparison: masks, search, scores, gradients, weights on disk."""

from __future__ import annotations

import functools

import keras
import numpy as np
import pytest

from captioner import ConfigError
from captioner.config import DecodingOptions, ModelConfig
from captioner.network.attention import NORMALISERS, SCORES
from captioner.network.context import CONTEXTS
from captioner.network.context.patterns import PATTERNS
from captioner.network.decoder import DECODERS, build_decoder
from captioner.network.decoder.cells import CELLS
from captioner.search.controls import Controls
from captioner.search.graphs import Scorer
from captioner.search.in_graph import search
from captioner.vocabulary import END, SPECIAL, START, Vocabulary
from tests.quick import quick
from training.comparison.mechanisms import MECHANISMS
from training.engine import losses
from training.engine.reinforce import Reinforce

WORDS = Vocabulary([*SPECIAL, *"abc"])
GRID, CHANNELS, LONGEST = (3, 4), 5, 2
BASE = ModelConfig.parse(
    {
        "encoder": {"architecture": "any", "layers": ["any"]},
        "context": {"units": 8},
        "attention": {"units": 8},
        "decoder": {"embedding_size": 8, "lstm_units": 8, "max_words": LONGEST},
    }
)
every_mechanism = pytest.mark.parametrize("name", MECHANISMS)
KINDS = ("dot", "hard", "local_predictive", "multi_head", "sentinel", "bilstm", "self_attention", "gru", "transformer")


@functools.cache
def make(name: str):
    """A decoder with random weights."""
    decoder = build_decoder(MECHANISMS[name].of(BASE), len(WORDS), GRID, CHANNELS, seed=0)
    rng = np.random.default_rng(0)
    for weight in decoder.trainable_weights:
        weight.assign(rng.normal(size=weight.shape) * 0.7)
    return decoder


@functools.cache
def given():
    """Annotation vectors of two pictures and the words of two captions of each."""
    rng = np.random.default_rng(1)
    words = rng.integers(4, len(WORDS), (2, 2, LONGEST + 1)).astype("int32")
    words[:, :, 0] = START
    return rng.normal(size=(2, GRID[0] * GRID[1], CHANNELS)).astype("float32"), words


@functools.cache
def read(name: str) -> dict[str, np.ndarray]:
    """Teacher forcing."""
    return {key: np.asarray(value) for key, value in make(name)(*given()).items()}


def test_every_part_is_in_the_comparison():
    """A new entry of a registry has to be trained, tested and shown."""
    configs = [mechanism.of(BASE) for mechanism in MECHANISMS.values()]
    for registry, used in [
        (SCORES, {config.attention.kind for config in configs}),
        (NORMALISERS, {config.attention.normaliser for config in configs}),
        (CONTEXTS, {config.context.kind for config in configs}),
        (PATTERNS, {config.context.pattern for config in configs}),
        (DECODERS, {config.decoder.kind for config in configs}),
        (CELLS, {config.decoder.cell for config in configs}),
    ]:
        assert set(registry) == used


@every_mechanism
def test_masks(name):
    outputs, attention = read(name), MECHANISMS[name].of(BASE).attention
    masks = outputs.get("heads", outputs["weights"])
    assert outputs["weights"].shape == (2, 2, LONGEST + 1, 12)
    assert ("heads" in outputs) == (attention.heads > 1) and ("sentinel" in outputs) == attention.sentinel
    assert masks.min() >= 0
    np.testing.assert_allclose(masks.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(outputs["weights"].sum(-1), 1, atol=1e-5)
    if name == "hard":
        assert set(np.unique(masks)) == {0.0, 1.0}
    if "sentinel" in outputs:
        assert outputs["sentinel"].min() > 0 and outputs["sentinel"].max() < 1
    assert name == "mean" or np.abs(np.diff(outputs["weights"], axis=2)).max() > 1e-3


@every_mechanism
@pytest.mark.parametrize("width", quick([2], [1, 2]))
def test_greedy_and_beam_search_say_what_teacher_forcing_scores(name, width):
    """Wrong state, masks or memory of a hypothesis that survives would show in its probability or its masks."""
    decoder, (annotations, _) = make(name), given()
    controls = Controls.resolve(DecodingOptions(beam_width=width), WORDS, LONGEST)
    inputs = {key: keras.ops.convert_to_tensor(value) for key, value in controls.inputs(len(WORDS)).items()}
    found = search(decoder, keras.ops.convert_to_tensor(annotations), controls.structure, inputs, decoder.tables())
    lengths = [int(length) for length in found["length"][:, 0]]
    written = np.asarray(found["words"][:, 0])  # PAD after the end, which no step before it reads
    outputs = decoder(annotations, np.insert(written, 0, START, axis=1)[:, None])
    log_probabilities = np.asarray(keras.ops.log_softmax(outputs["logits"]))[:, 0]
    for picture, length in enumerate(lengths):
        assert length > 0
        words = [*written[picture, :length], END]
        total = sum(log_probabilities[picture, t, word] for t, word in enumerate(words))
        assert float(found["log_probability"][picture, 0]) == pytest.approx(float(total), abs=1e-3)
        masks = outputs["weights"][picture, 0, :length]
        np.testing.assert_allclose(found["weights"][picture, 0, :length], masks, atol=1e-4)


@every_mechanism
def test_gradients_reach_every_weight(name):
    import tensorflow as tf

    decoder, (annotations, words) = make(name), given()
    targets = np.concatenate([words[:, :, 1:], np.full_like(words[:, :, :1], END)], axis=2)
    for _ in range(3):  # hard attention draws: some draws say nothing of a weight
        with tf.GradientTape() as tape:
            outputs = decoder(annotations, words, training=True)
            loss = losses.cross_entropy(outputs["logits"], targets)
            if decoder.samples:
                loss = loss + Reinforce().loss(outputs, targets)
        gradients = tape.gradient(loss, [weight.value for weight in decoder.trainable_weights])
        still = [
            weight.path
            for weight, gradient in zip(decoder.trainable_weights, gradients, strict=True)
            if gradient is None or float(keras.ops.max(keras.ops.abs(gradient))) == 0
        ]
        if not still:
            break
    assert not still


@pytest.mark.parametrize("name", quick(KINDS, MECHANISMS))
def test_weights_and_description_are_written_and_read(name, tmp_path):
    config = MECHANISMS[name].of(BASE)
    assert ModelConfig.parse(config.model_dump(mode="json")) == config
    Scorer(make(name)).save_weights(tmp_path / "all.weights.h5")
    again = build_decoder(config, len(WORDS), GRID, CHANNELS)
    before = np.asarray(again(*given())["logits"])
    Scorer(again).load_weights(tmp_path / "all.weights.h5")
    np.testing.assert_allclose(again(*given())["logits"], read(name)["logits"], atol=1e-5)
    assert np.abs(before - read(name)["logits"]).max() > 1e-2


def test_a_decoder_there_is_not_names_those_there_are():
    config = BASE.model_copy(update={"decoder": BASE.decoder.model_copy(update={"kind": "psychic"})})
    with pytest.raises(ConfigError, match="decoder.kind is one of recurrent, transformer. Received: 'psychic'"):
        build_decoder(config, len(WORDS), GRID, CHANNELS)
