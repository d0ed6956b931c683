"""The shares of two hosts, side by side, are the batch of one: its order and all that is drawn at random."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from captioner.config import EncoderConfig
from captioner.vocabulary import SPECIAL, Vocabulary
from training.data.datasets import Example
from training.data.features import Features
from training.data.pipeline import FeatureBatches, ImageBatches, Sampling, encode_captions, mirror_caption
from training.hosts.group import Hosts

VOCABULARY = Vocabulary([*SPECIAL, "a", "dog", "runs", "left", "right", "of", "cat"])
TEXTS = (("a dog runs", "a dog left of a cat"), ("a cat",), ("a dog", "a cat runs"), ("a cat right of a dog",), ("a",))
BOXES = {"0.png": [{"text": "a dog runs", "phrases": [{"word": 1, "type": "x", "boxes": [[0, 0, 0.5, 1]]}]}]}


class OfTwo(Hosts):
    """One of two hosts."""

    count = devices = 2

    def __init__(self, index: int):
        self.index = index


@pytest.fixture
def examples(tmp_path):
    for place in range(len(TEXTS)):
        pixels = np.random.default_rng(place).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{place}.png")
    return [Example(str(tmp_path / f"{place}.png"), "train", texts) for place, texts in enumerate(TEXTS)]


@pytest.fixture
def features(tmp_path):
    rng = np.random.default_rng(7)
    for name in ("plain", "mirrored"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(len(TEXTS), 4, 3)).astype(np.float16))
    return [Features([tmp_path / f"{name}.npy"]) for name in ("plain", "mirrored")]


def assert_shares_are_the_whole(make):
    whole, shares = make(Hosts()), [make(OfTwo(index)) for index in range(2)]
    assert len(whole) == len(shares[0]) == len(shares[1]) > 1
    for index in range(len(whole)):
        for part, *of_hosts in zip(whole[index], *(share[index] for share in shares), strict=True):
            for name, expected in part.items():
                np.testing.assert_array_equal(np.concatenate([of_host[name] for of_host in of_hosts]), expected)


@pytest.mark.parametrize("together", [1, 2])
def test_captions_on_cached_features(examples, features, together):
    captions = encode_captions(examples, VOCABULARY, 9, BOXES)
    mirrored = [mirror_caption(caption, VOCABULARY) for caption in captions]
    sampling = Sampling(4, seed=3, word_dropout=0.4, mirror=0.5, captions_per_picture=together)
    make = lambda hosts: FeatureBatches(captions, mirrored, (2, 2), sampling, *features, hosts=hosts)
    assert_shares_are_the_whole(make)


def test_pictures_are_read_by_one_host_each(examples, monkeypatch):
    captions = encode_captions(examples, VOCABULARY, 9, BOXES)
    mirrored = [mirror_caption(caption, VOCABULARY) for caption in captions]
    encoder = EncoderConfig(architecture="MobileNetV2", layers=("block_5_add",), image_size=32)
    sampling = Sampling(4, seed=3, word_dropout=0.4, mirror=0.5)
    make = lambda hosts: ImageBatches(captions, mirrored, (2, 2), sampling, examples, encoder, hosts)
    assert_shares_are_the_whole(make)
    read = []
    monkeypatch.setattr(
        "training.data.pipeline.load_squares",
        lambda paths, *_: read.extend(paths) or np.zeros((len(paths), 32, 32, 3), np.uint8),
    )
    for batches in (make(OfTwo(0)), make(OfTwo(1))):
        for index in range(len(batches)):
            batches[index]
    assert sorted(read) == sorted(example.image for example in examples)
