"""How fast CIDEr-D is as a reward: make bench ARGS="-k metrics"."""

from __future__ import annotations

import os

import numpy as np
import pytest

from captioner.vocabulary import split_words
from tests.benchmarks.timing import run_times
from training.data.datasets import of_split, read_dataset
from training.evaluation.metrics import CiderD

BATCH, ALL = 120, 6000


def test_cider_d_as_a_reward():
    """Captions of training pictures against all training references, in batches as a step draws them and at once."""
    data = os.environ.get("CAPTIONER_DATA")
    if not data or not os.path.exists(os.path.join(data, "captions.jsonl")):
        pytest.skip("CAPTIONER_DATA holds no captions.jsonl")
    examples = of_split(read_dataset(data), "train")
    references = [[split_words(text) for text in example.captions] for example in examples]
    cider = CiderD(references)
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, len(examples), ALL)
    captions = [references[rng.integers(len(examples))][0] for _ in pictures]
    small = min(run_times(lambda: cider.scores(captions[:BATCH], pictures[:BATCH]), 20))
    large = min(run_times(lambda: cider.scores(captions, pictures), 5))
    print(
        f"\nCIDEr-D against {len(references)} pictures: {BATCH / small:,.0f} captions a second in batches of {BATCH}, "
        f"{ALL / large:,.0f} in one of {ALL}"
    )
