"""Training on words the model draws itself: scheduled sampling, and self-critical training."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from captioner import ConfigError
from captioner.network.model import CaptionModel
from captioner.vocabulary import END, PAD, START, UNKNOWN
from tests.quick import quick
from training.config import Stage
from training.data.datasets import Example
from training.data.features import Features
from training.engine import losses
from training.engine.optimizer import make_optimizer
from training.engine.scheduled_sampling import mix_words
from training.engine.self_critical import Reward, SelfCriticalBatches
from training.engine.trainer import CaptionTrainer

REFERENCES = [["a brown dog runs"], ["a dog on grass", "grass"], ["brown grass"], ["a dog"]]


@pytest.fixture(scope="module")
def built(tiny_config, tiny_vocabulary):
    """A model and its first weights; to build one takes a second."""
    keras.utils.set_random_seed(0)
    model = CaptionModel(tiny_config, len(tiny_vocabulary))
    return model, model.get_weights()


@pytest.fixture
def model(built):
    model, weights = built
    model.set_weights(weights)
    return model


@pytest.fixture(scope="module")
def features(built, tmp_path_factory):
    path, encoder = tmp_path_factory.mktemp("features") / "f.npy", built[0].encoder
    rng = np.random.default_rng(0)
    np.save(path, rng.normal(size=(4, encoder.grid[0] * encoder.grid[1], encoder.channels)).astype(np.float16))
    return Features([path])


def always_say(model, word):
    """A decoder that predicts one word, whatever it reads."""
    bias = np.full(model.decoder.vocabulary_size, -50.0)
    bias[word] = 50.0
    model.decoder.output_bias.assign(bias)


def test_own_words_are_read_as_often_as_asked(model, features):
    words = np.random.default_rng(1).integers(4, 8, (4, 10, 10)).astype(np.int32)
    words[:, :, 0] = START
    annotations = features.take(range(4)).astype(np.float32)
    always_say(model, 9)
    seeds = keras.random.SeedGenerator(3)
    mix = lambda share: np.asarray(mix_words(model.decoder, annotations, ops.convert_to_tensor(words), share, seeds))
    np.testing.assert_array_equal(mix(0.0), words)
    whole = mix(1.0)
    assert (whole[:, :, 0] == START).all()
    assert (whole[:, :, 1:] == 9).all()
    some = mix(0.25)
    own = some[:, :, 1:] == 9
    assert 0.15 < own.mean() < 0.35
    np.testing.assert_array_equal(some[:, :, 1:][~own], words[:, :, 1:][~own])


def test_own_words_follow_the_model_s_probabilities(model, features):
    model.decoder.output_kernel.assign(np.zeros(model.decoder.output_kernel.shape))
    bias = np.full(model.decoder.vocabulary_size, -50.0)
    bias[[5, 8]] = np.log([0.25, 0.75])
    model.decoder.output_bias.assign(bias)
    words = np.full((4, 33, 10), 6, np.int32)
    annotations = features.take(range(4)).astype(np.float32)
    mixed = np.asarray(
        mix_words(model.decoder, annotations, ops.convert_to_tensor(words), 1.0, keras.random.SeedGenerator(0))
    )[:, :, 1:]
    assert set(np.unique(mixed)) == {5, 8}
    assert (mixed == 8).mean() == pytest.approx(0.75, abs=0.05)


def test_scheduled_sampling_rises_with_the_steps(model, features):
    stage = Stage(epochs=1, scheduled_sampling=1.0, dropout=0.0, ema=0.0)
    trainer = CaptionTrainer(model, stage, steps=4, seed=0)
    trainer.compile(optimizer=make_optimizer(stage, model, 4), jit_compile=False, run_eagerly=True)
    trainer.optimizer.build(model.trainable_variables)
    always_say(model, 9)
    words = np.full((4, 18, 10), 5, np.int32)
    inputs = {"annotations": features.take(range(4)).astype(np.float32), "words": ops.convert_to_tensor(words)}
    shares = []
    for done in (0, 2, 4, 9):
        trainer.optimizer.iterations.assign(done)
        shares.append((np.asarray(trainer._read_own_words(inputs)["words"])[:, :, 1:] == 9).mean())
    assert shares == pytest.approx([0.0, 0.5, 1.0, 1.0], abs=0.07)


def test_policy_gradient_by_hand():
    """Two thirds of the last step's mass lie on <unk>, which is never drawn: what is left is shared by the others."""
    of_writable = [[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [1 / 3, 1 / 3, 1 / 3]]  # <end> and two words
    steps = np.array([[0.0, 0.0, end, 0.0, *words] for end, *words in of_writable]).reshape(1, 2, 2, 6)
    steps[0, 1, 1] /= 3
    steps[0, 1, 1, UNKNOWN] = 2 / 3
    targets = np.array([[[4, 5], [5, 4]]])
    logits = np.log(steps + 1e-12).astype(np.float32)
    loss = losses.policy_gradient(logits, targets, np.array([[2.0, -1.0]], np.float32))
    assert float(loss) == pytest.approx(
        (-2 * np.log(0.25) - 2 * np.log(0.1) + np.log(0.6) + np.log(1 / 3)) / 4, rel=1e-5
    )
    padded = np.array([[[4, 5], [5, PAD]]])
    loss = losses.policy_gradient(logits, padded, np.array([[2.0, -1.0]], np.float32))
    assert float(loss) == pytest.approx((-2 * np.log(0.25) - 2 * np.log(0.1) + np.log(0.6)) / 3, rel=1e-5)


def test_the_end_is_part_of_the_reward(tiny_vocabulary):
    reward = Reward(REFERENCES, tiny_vocabulary)
    encode = tiny_vocabulary.encode
    whole = [*encode(["a", "brown", "dog", "runs"]), END]
    cut = [*encode(["a", "brown", "dog", "runs"]), PAD]
    first, second = reward(np.array([whole, cut]), np.array([0, 0]))
    assert first == pytest.approx(10.0)
    assert second < first


def batches(model, features, tiny_vocabulary, **options):
    examples = [Example(f"{i}.jpg", "train", tuple(texts)) for i, texts in enumerate(REFERENCES)]
    return SelfCriticalBatches(model, tiny_vocabulary, examples, features, size=2, samples=3, **options)


@pytest.mark.parametrize("baseline", quick(["samples"], ["greedy", "samples"]))
def test_a_batch_of_drawn_captions(model, features, tiny_vocabulary, baseline):
    made = batches(model, features, tiny_vocabulary, baseline=baseline)
    assert len(made) == 2
    x, y = made[0]
    targets, longest = y["targets"], model.config.decoder.max_words
    assert targets.shape == (2, 3, longest + 1)
    np.testing.assert_array_equal(x["words"][:, :, 1:], targets[:, :, :-1])
    for row in targets.reshape(-1, longest + 1):
        words = row[row != PAD]
        assert (words[:-1] > END).all()
        assert words[-1] == END or len(words) == longest
    flat = made.reward(targets.reshape(6, -1), np.repeat(made.batches[0], 3)).reshape(2, 3)
    np.testing.assert_allclose(y["rewards"], flat, rtol=1e-5)
    if baseline == "samples":
        others = (flat.sum(1, keepdims=True) - flat) / 2
        np.testing.assert_allclose(y["advantages"], flat - others, atol=1e-5)
    else:
        differences = y["rewards"] - y["advantages"]
        np.testing.assert_allclose(differences, differences[:, :1].repeat(3, axis=1), atol=1e-5)
    again, _ = made[0]
    np.testing.assert_array_equal(again["words"], x["words"])


@pytest.mark.slow
def test_a_few_steps_raise_the_reward(model, features, tiny_vocabulary):
    stage = Stage(
        epochs=1, objective="self_critical", dropout=0.0, ema=0.0, learning_rate=0.05, warm_up=0, final_rate=1
    )
    made = batches(model, features, tiny_vocabulary, baseline="samples")
    trainer = CaptionTrainer(model, stage, 40, 0)
    trainer.compile(optimizer=make_optimizer(stage, model, 40), jit_compile=False)
    rewards = []
    for epoch in range(20):
        made.begin_epoch(epoch)
        rewards += [trainer.train_on_batch(*made[i], return_dict=True)["reward"] for i in range(2)]
    assert np.mean(rewards[-8:]) > 1.5 * np.mean(rewards[:8]) > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_encoder_from": ""}, "trains on cached features"),
        ({"word_dropout": 0.1}, "word_dropout belongs to objective cross_entropy"),
        ({"baseline": "samples", "samples": 1}, "samples is 2 or more"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Stage.parse({"epochs": 1, "objective": "self_critical", **settings})
