"""What a network may answer: whatever it is, a search ends, and numbers that are none are a `ModelError`."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from captioner import Captioner, ModelError
from captioner.runtimes.base import ExportedRuntime
from tests.quick import quick

CELLS = 16
PHOTO = np.zeros((8, 8, 3), np.uint8)


class Scripted(ExportedRuntime):
    """An exported model whose tensors are random ones, changed by `spoil(name, values, steps so far)`."""

    def __init__(self, config, vocabulary, spoil):
        self.config, self.vocabulary, self.metrics, self.grid = config, vocabulary, {}, (4, 4)
        self.spoil, self.rng, self.steps = spoil, np.random.default_rng(0), 0

    def run_encoder(self, inputs):
        shape = (len(inputs["pixels"]), 1, 3)
        return {n: self.spoil(n, np.ones(shape, np.float32), 0) for n in ("memory_keys", "state_0")}

    def run_step(self, inputs):
        self.steps += 1
        assert self.steps < 100, "the search does not end"
        shape = inputs["words"].shape
        logits = self.rng.normal(size=(*shape, len(self.vocabulary))).astype(np.float32)
        answer = {
            "log_probabilities": logits - np.log(np.exp(logits).sum(-1, keepdims=True)),
            "outputs_weights": np.full((*shape, CELLS), 1 / CELLS, np.float32),
            "next_0": inputs["state_0"],
        }
        return {name: self.spoil(name, values, self.steps) for name, values in answer.items()}


def use(captioner: Captioner, way: str):
    if way == "score":
        return captioner.score(PHOTO, "a brown dog runs")
    if way == "stream":
        return list(captioner.stream(PHOTO))
    return captioner.caption(PHOTO, beam_width=int(way))


WAYS = ("1", "5", "score", "stream")


def put(value, name, step=0):
    """Spoils every number of a tensor from a step on."""
    return lambda n, values, steps: np.full_like(values, value) if n == name and steps >= step else values


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "step"), [("memory_keys", 0), ("log_probabilities", 1), ("log_probabilities", 2)])
def test_numbers_that_are_not_finite_are_refused(tiny_config, tiny_vocabulary, way, value, name, step):
    captioner = Captioner(Scripted(tiny_config, tiny_vocabulary, put(value, name, step)))
    with pytest.raises(ModelError, match="not finite"):
        use(captioner, way)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("memory_keys", lambda values: values[:0]),
        ("log_probabilities", lambda values: values[..., :-1]),
        ("log_probabilities", lambda values: values[0]),
        ("outputs_weights", lambda values: values[..., :-1]),
    ],
)
def test_answers_of_another_shape_are_refused(tiny_config, tiny_vocabulary, way, name, cut):
    spoil = lambda n, values, steps: cut(values) if n == name else values
    with pytest.raises(ModelError, match="does not answer as a captioner does"):
        use(Captioner(Scripted(tiny_config, tiny_vocabulary, spoil)), way)


@pytest.mark.parametrize(("way", "value"), itertools.product(WAYS, [0.0, -700.0, -1e30]))
def test_a_search_ends_whatever_the_scores_are(tiny_config, tiny_vocabulary, way, value):
    answer = use(Captioner(Scripted(tiny_config, tiny_vocabulary, put(value, "log_probabilities"))), way)
    caption = answer[-1] if way == "stream" else answer
    assert len(caption.words) <= tiny_config.decoder.max_words


@pytest.mark.parametrize(("way", "value"), itertools.product(WAYS, [0.5, 700.0, 1e30]))
def test_probabilities_above_one_are_refused(tiny_config, tiny_vocabulary, way, value):
    with pytest.raises(ModelError, match="above 0"):
        use(Captioner(Scripted(tiny_config, tiny_vocabulary, put(value, "log_probabilities", 2))), way)


@pytest.fixture(scope="module")
def of_no_number(tiny_config, tiny_vocabulary):
    """A Keras captioner whose network answers NaN."""
    from captioner.network.model import CaptionModel

    model = CaptionModel(tiny_config, len(tiny_vocabulary))
    model.decoder.output_bias.assign(np.full(len(tiny_vocabulary), np.nan))
    return Captioner.of(model, tiny_vocabulary)


@pytest.mark.parametrize(
    "options", quick([0], [{}, {"beam_width": 1}, {"strategy": "sample"}, {"strategy": "diverse"}])
)
def test_keras_refuses_them_as_well(of_no_number, options):
    with pytest.raises(ModelError, match="not finite"):
        of_no_number.caption(PHOTO, **options)
    if not options:
        for way in ("score", "stream"):
            with pytest.raises(ModelError, match="not finite"):
                use(of_no_number, way)
