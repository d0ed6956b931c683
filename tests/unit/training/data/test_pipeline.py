"""What training is fed: every caption once, ends and paddings in place, boxes on the right words."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from captioner import DatasetError
from captioner.config import EncoderConfig
from captioner.vocabulary import END, PAD, SPECIAL, START, UNKNOWN, Vocabulary
from training.data.datasets import Example, read_dataset, write_dataset
from training.data.features import Features
from training.data.pipeline import (
    FeatureBatches,
    ImageBatches,
    Sampling,
    box_shares,
    encode_captions,
    mirror_caption,
    word_places,
)

VOCABULARY = Vocabulary([*SPECIAL, "a", "dog", "runs", "the", "tshirt", "left", "right", "of"])


def example(name="x.jpg", *captions):
    return Example(name, "train", captions)


def test_captions_end_and_unknown_words_are_marked():
    (caption,) = encode_captions([example("x.jpg", "A cat runs .")], VOCABULARY, max_words=5)
    assert caption.ids == (4, UNKNOWN, 6, END)


def test_a_cut_caption_has_no_end():
    whole, cut = encode_captions([example("x.jpg", "a dog runs", "a dog runs the")], VOCABULARY, max_words=3)
    assert whole.ids == (4, 5, 6, END)
    assert cut.ids == (4, 5, 6)


def test_boxes_stay_with_their_word_whatever_punctuation_goes():
    text = "A - dog , the T-shirt ."
    assert word_places(text) == {0: 0, 2: 1, 4: 2, 5: 3}
    boxes = {"x.jpg": [{"text": text, "phrases": [{"word": 5, "type": "clothing", "boxes": [[0, 0, 0.5, 1]]}]}]}
    (caption,) = encode_captions([example("x.jpg", text)], VOCABULARY, 9, boxes)
    assert caption.boxes == {3: [[0, 0, 0.5, 1]]}
    assert VOCABULARY.decode(caption.ids)[3] == "tshirt"


def test_box_shares_by_hand():
    np.testing.assert_allclose(box_shares([[0.25, 0.0, 1.0, 0.5]], (2, 2)), [0.5, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(box_shares([[0, 0, 0.5, 1], [0, 0, 0.5, 1]], (1, 2)), [1.0, 0.0])


@pytest.fixture
def features(tmp_path):
    np.save(tmp_path / "0.npy", np.arange(3 * 4 * 2, dtype=np.float16).reshape(3, 4, 2))
    np.save(tmp_path / "1.npy", np.full((2, 4, 2), 7, np.float16))
    return Features([tmp_path / "0.npy", tmp_path / "1.npy"])


def feature_batches(captions, features, mirrored_features=None, **sampling):
    mirrored = [mirror_caption(c, VOCABULARY) if mirrored_features else None for c in captions]
    return FeatureBatches(captions, mirrored, (2, 2), Sampling(**sampling), features, mirrored_features)


def test_features_run_on_from_shard_to_shard(features):
    assert (len(features), features.shape) == (5, (4, 2))
    assert features[2][0, 0] == 16
    assert (features.take([4, 0])[:, 0, 1] == [7, 1]).all()


def test_every_caption_comes_once_with_the_vectors_of_its_picture(features):
    texts = ["a dog", "the dog runs a dog runs a dog", "a"]
    examples = [example(f"{i}.jpg", *texts) for i in range(5)]
    captions = encode_captions(examples, VOCABULARY, 20)
    batches = feature_batches(captions, features, size=4)
    seen = []
    for i in range(len(batches)):
        x, y = batches[i]
        assert x["annotations"].shape == (4, 4, 2)
        assert x["words"].shape == y["targets"].shape
        assert (x["words"][:, :, 0] == START).all()
        assert (x["words"][:, :, 1:] == y["targets"][:, :, :-1]).all()
        for vectors, ids in zip(x["annotations"], y["targets"][:, 0], strict=True):
            words = tuple(ids[ids != PAD].tolist())
            if words:
                seen.append((float(vectors[0, 0]), words))
            else:
                assert not vectors.any()
    assert sorted(seen) == sorted((float(features[c.picture][0, 0]), c.ids) for c in captions)


def test_order_depends_on_seed_and_epoch(features):
    captions = encode_captions([example(f"{i}.jpg", "a dog", "a") for i in range(5)], VOCABULARY, 20)
    make = lambda seed: feature_batches(captions, features, size=3, seed=seed)
    first, again, other = make(1), make(1), make(2)
    assert first.batches == again.batches
    assert first.batches != other.batches
    before = list(first.batches)
    first.begin_epoch(1)
    assert before != first.batches
    first.begin_epoch(0)
    assert before == first.batches


def test_dropped_words_are_read_as_unknown_and_still_asked_for(features):
    captions = encode_captions([example(f"{i}.jpg", "the dog runs a dog") for i in range(5)], VOCABULARY, 20)
    plain = feature_batches(captions, features, size=5)[0]
    x, y = feature_batches(captions, features, size=5, word_dropout=0.4)[0]
    np.testing.assert_array_equal(y["targets"], plain[1]["targets"])
    changed = x["words"] != plain[0]["words"]
    assert 0 < changed.sum() < changed.size / 2
    assert (x["words"][changed] == UNKNOWN).all()
    assert (x["words"][:, :, 0] == START).all()
    again = feature_batches(captions, features, size=5, word_dropout=0.4)[0]
    np.testing.assert_array_equal(again[0]["words"], x["words"])


def test_mirrored_captions_come_with_mirrored_vectors(features, tmp_path):
    np.save(tmp_path / "m.npy", -np.concatenate([features.take(range(5))]))
    texts = ["the dog left of the dog", "the dog left the dog"]  # the second may mean that it went
    captions = encode_captions([example(f"{i}.jpg", *texts) for i in range(5)], VOCABULARY, 20)
    batches = feature_batches(captions, features, Features([tmp_path / "m.npy"]), size=10, mirror=1.0)
    seen = 0
    for i in range(len(batches)):
        x, y = batches[i]
        for vectors, ids in zip(x["annotations"], y["targets"][:, 0], strict=True):
            words = VOCABULARY.decode(ids[ids > END])
            assert not words or (vectors.sum() < 0) == ("of" in words) == ("right" in words)
            seen += bool(words)
    assert seen == 10


def test_boxes_are_mirrored_with_their_picture():
    boxes = {"x.jpg": [{"text": "a dog", "phrases": [{"word": 1, "type": "animals", "boxes": [[0, 0.1, 0.25, 1]]}]}]}
    (caption,) = encode_captions([example("x.jpg", "a dog")], VOCABULARY, 9, boxes)
    assert mirror_caption(caption, VOCABULARY).boxes == {1: [[0.75, 0.1, 1, 1]]}


def test_pictures_come_with_all_their_captions(tmp_path):
    examples = []
    for i, captions in enumerate([("a dog", "the dog runs"), ("a",), ("a dog runs", "runs")]):
        Image.new("RGB", (8, 8), (i * 50, 0, 0)).save(tmp_path / f"{i}.png")
        examples.append(Example(str(tmp_path / f"{i}.png"), "train", captions))
    encoder = EncoderConfig(architecture="MobileNetV2", layers=("block_5_add",), image_size=32)
    captions = encode_captions(examples, VOCABULARY, 9)
    batches = ImageBatches(captions, [None] * len(captions), (2, 2), Sampling(2), examples, encoder)
    seen = {}
    for i in range(len(batches)):
        x, y = batches[i]
        assert x["images"].shape == (2, 32, 32, 3)
        assert y["targets"].shape[:2] == (2, 2)
        for image, rows in zip(x["images"], y["targets"], strict=True):
            if rows.any():
                seen[int(image[0, 0, 0]) // 50] = sorted(tuple(r[r != PAD].tolist()) for r in rows if r.any())
    assert seen == {p: sorted(c.ids for c in captions if c.picture == p) for p in range(3)}


def test_a_picture_without_captions_is_in_no_batch(tmp_path):
    examples = [Example(str(tmp_path / f"{i}.png"), "train", ("a dog",) if i % 2 else ()) for i in range(4)]
    for shown in examples:
        Image.new("RGB", (32, 32)).save(shown.image)
    encoder = EncoderConfig(architecture="MobileNetV2", layers=("block_5_add",), image_size=32)
    captions = encode_captions(examples, VOCABULARY, 9)
    batches = ImageBatches(captions, [None] * len(captions), (2, 2), Sampling(1), examples, encoder)
    assert sorted(int(batch[0]) for batch in batches.batches) == [1, 3]


def test_a_mirrored_picture_is_mirrored_with_all_its_captions(tmp_path):
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, :16] = 200
    examples = []
    for i, captions in enumerate([("a dog left of the dog", "the dog"), ("the left", "the dog left the dog")]):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
        examples.append(Example(str(tmp_path / f"{i}.png"), "train", captions))
    encoder = EncoderConfig(architecture="MobileNetV2", layers=("block_5_add",), image_size=32)
    captions = encode_captions(examples, VOCABULARY, 9)
    mirrored = [mirror_caption(c, VOCABULARY) for c in captions]
    x, y = ImageBatches(captions, mirrored, (2, 2), Sampling(2, mirror=1.0), examples, encoder)[0]
    for image, rows in zip(x["images"], y["targets"], strict=True):
        words = [VOCABULARY.decode(ids[ids > END]) for ids in rows]
        if ["the", "dog"] in words:
            assert (image[0, 0, 0], image[0, -1, 0]) == (0, 200)
            assert ["a", "dog", "right", "of", "the", "dog"] in words
        else:  # one of its captions cannot be mirrored
            assert (image[0, 0, 0], image[0, -1, 0]) == (200, 0)


def test_a_data_set_reads_back(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.png")
    examples = [Example(str((tmp_path / "images" / "a.png").resolve()), "dev", ("Ein Hund .", "二 犬"))]
    write_dataset(examples, tmp_path)
    assert '"images/a.png"' in (tmp_path / "captions.jsonl").read_text()
    assert [(e.image.resolve(), e.split, e.captions) for e in read_dataset(tmp_path)] == [
        (examples[0].image, "dev", examples[0].captions)
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: expected image, split and captions as JSON"),
        ('{"image": "a.png", "split": "train"}', "line 2"),
        ('{"image": "a.png", "split": "valid", "captions": ["a"]}', "split is one of train, dev, test"),
        (
            '{"image": "a.png", "split": "dev", "captions": []}',
            "captions is a list of texts, one or more outside of train",
        ),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    good = '{"image": "a.png", "split": "train", "captions": ["a"]}'
    (tmp_path / "captions.jsonl").write_text(good + "\n" + line + "\n")
    with pytest.raises(DatasetError, match=message):
        read_dataset(tmp_path)


def test_a_picture_that_is_gone_is_named_before_anything_is_computed(tmp_path):
    from training.data.features import encoder_key

    with pytest.raises(DatasetError, match="cannot read .*gone.jpg: No such file"):
        encoder_key(EncoderConfig(architecture="MobileNetV2", layers=("block_5_add",)), [], [tmp_path / "gone.jpg"])
