"""Batches in which captions share a picture's annotation vectors, and batches of captions without photos."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.vocabulary import PAD, SPECIAL, Vocabulary
from training.data.datasets import Example
from training.data.detections import Detections, Names
from training.data.features import Features, JoinedFeatures
from training.data.imagined import ImaginedPictures
from training.data.pipeline import FeatureBatches, Sampling, encode_captions, encode_texts

VOCABULARY = Vocabulary([*SPECIAL, "a", "cat", "dog", "sleeps", "runs", "now", "here"])
CLASSES = ("cat", "dog")
DETECTIONS = Detections({"0.jpg": [("cat", 0.9, 0.0, 0.0, 0.5, 0.5)]}, CLASSES)
GRID = (2, 2)


@pytest.fixture
def features(tmp_path):
    parts = {"appearance": np.ones((4, 4, 3)), "maps": np.zeros((4, 4, 2))}
    for name, values in parts.items():
        np.save(tmp_path / f"{name}.npy", (values + np.arange(4)[:, None, None]).astype(np.float16))
    return JoinedFeatures(*(Features([tmp_path / f"{name}.npy"]) for name in parts))


CAPTIONS = encode_captions(
    [
        Example("0.jpg", "train", ("a cat", "a cat sleeps here now", "a cat sleeps", "cat", "a cat sleeps here")),
        Example("1.jpg", "train", ("a dog runs",)),
        Example("2.jpg", "train", ("a dog", "the dog runs now")),
        Example("3.jpg", "train", ("dog here", "dog now", "a a a a a a a a a a a a")),
    ],
    VOCABULARY,
    20,
)


def batches(features, pool=(), **sampling):
    imagined = ImaginedPictures(DETECTIONS, GRID, 5)
    nobody = [None] * len(CAPTIONS)
    return FeatureBatches(CAPTIONS, nobody, GRID, Sampling(**sampling), features, None, pool, imagined)


def test_joined_features_are_read_like_features(features):
    assert (len(features), features.shape) == (4, (4, 5))
    assert features[2].tolist() == [[3, 3, 3, 2, 2]] * 4
    assert features.take([3, 0])[:, 0].tolist() == [[4, 4, 4, 3, 3], [1, 1, 1, 0, 0]]


@pytest.mark.parametrize("together", [1, 2, 3, 5])
def test_every_caption_is_there_once_with_its_picture(features, together):
    made = batches(features, size=together * 2, captions_per_picture=together)
    seen = []
    for x, y in (made[i] for i in range(len(made))):
        assert x["annotations"].shape == (2, 4, 5)
        assert x["words"].shape == y["targets"].shape == y["box_shares"].shape[:3]
        assert x["words"].shape[:2] == (2, together)
        for vectors, row in zip(x["annotations"], y["targets"], strict=True):
            seen += [(int(vectors[0, 3]), tuple(ids[ids != PAD].tolist())) for ids in row if ids.any()]
    assert sorted(seen) == sorted((caption.picture, caption.ids) for caption in CAPTIONS)


def test_captions_that_share_are_of_about_one_length(features):
    groups = batches(features, size=4, captions_per_picture=2).groups
    assert [[len(CAPTIONS[i].ids) for i in group] for group in groups[:3]] == [[2, 3], [4, 5], [6]]


def test_texts_come_in_batches_of_their_own(features):
    texts = encode_texts(["a cat sleeps", "a dog runs here", "dog", "cat cat"], VOCABULARY, 20, Names(CLASSES))
    made = batches(features, texts, size=4, captions_per_picture=2, texts=3)
    plain = batches(features, size=4, captions_per_picture=2)
    assert len(made) > len(plain)
    count = 0
    for x, y in (made[i] for i in range(len(made))):
        if x["words"].shape[1] == 2:
            continue
        assert x["annotations"].shape == (4, 4, 5)
        assert not x["annotations"][:, :, :3].any()
        named = y["box_shares"].max(axis=(1, 3)) > 0  # which words have boxes
        for row, ids in enumerate(y["targets"][:, 0]):
            count += bool(ids.any())
            assert all(VOCABULARY.words[word] in CLASSES for word in ids[named[row]])
    assert count == 3


def test_an_epoch_draws_other_texts_and_the_same_again(features):
    texts = encode_texts([f"{'a ' * (n % 3)}cat" for n in range(50)], VOCABULARY, 20, Names(CLASSES))
    made = batches(features, texts, size=4, texts=8)
    first = [made[i][0]["annotations"] for i in range(len(made))]
    made.begin_epoch(1)
    other = list(made.batches)
    made.begin_epoch(0)
    assert other != made.batches
    for index, before in enumerate(first):
        np.testing.assert_array_equal(made[index][0]["annotations"], before)


def test_appearance_is_hidden_now_and_then_and_maps_stay(features):
    made = batches(features, size=4, appearance_dropout=0.5)
    rows = np.concatenate([made[i][0]["annotations"] for i in range(len(made))])
    rows = rows[rows[:, 0, 3] > 0]  # pictures 1 to 3, whose maps are not nought
    hidden = ~rows[:, :, :3].any(axis=(1, 2))
    assert 0 < hidden.sum() < len(rows)
    assert rows[:, :, 3:].all()
