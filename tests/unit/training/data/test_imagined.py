import gzip

import numpy as np
import pytest

from captioner.errors import DatasetError
from captioner.network.class_maps import STRENGTH
from captioner.vocabulary import END, SPECIAL, UNKNOWN, Vocabulary
from training.data.detections import Detections, Names, bump
from training.data.imagined import ImaginedPictures
from training.data.pipeline import IMAGINED, encode_texts
from training.data.texts import read_texts

GRID, CHANNELS = (4, 4), 7
CLASSES = ("cat", "dog")
BOX = (0.0, 0.0, 0.5, 0.5)
DETECTIONS = Detections({"a.jpg": [("cat", 0.9, *BOX)]}, CLASSES)


def drawn(named, times=200):
    imagined = ImaginedPictures(DETECTIONS, GRID, CHANNELS)
    draw = np.random.default_rng(0)
    return [imagined.draw(named, draw) for _ in range(times)]


def test_what_a_text_names_is_drawn_where_a_detector_saw_such_things():
    shape = bump(BOX, GRID)
    pictures = drawn({3: "cat"})
    with_cat = [(picture, boxes) for picture, boxes in pictures if 3 in boxes]
    assert 0.8 < len(with_cat) / len(pictures) < 0.98  # now and then a thing is missed
    for picture, boxes in with_cat:
        cat = picture[:, -2]
        assert picture.shape == (16, CHANNELS)
        assert not picture[:, :-2].any(), "no appearance"
        assert {tuple(box) for box in boxes[3]} == {BOX}
        inside = shape > 0
        strength = cat[inside] / shape[inside]
        np.testing.assert_allclose(strength, strength[0], rtol=1e-5)
        assert 0.4 * STRENGTH <= strength[0] <= STRENGTH


def test_things_that_nobody_named_are_faint():
    other = np.array([picture[:, -1].max() for picture, _ in drawn({3: "cat"})])
    assert 0.05 < (other > 0).mean() < 0.3
    assert other.max() <= 0.3 * STRENGTH


def test_a_class_that_no_detection_shows_gets_some_box():
    boxes = [boxes[0] for _, boxes in drawn({0: "dog"}) if boxes]
    assert len({tuple(box) for several in boxes for box in several}) > 100
    for left, top, right, bottom in (box for several in boxes for box in several):
        assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1


def test_texts_become_ids_with_the_classes_they_name():
    vocabulary = Vocabulary([*SPECIAL, "a", "cat", "sleeps"])
    captions = encode_texts(["A cat sleeps.", "Nothing here", "a zebra and a cat"], vocabulary, 20, Names(CLASSES))
    a, cat, sleeps = vocabulary.encode(["a", "cat", "sleeps"])
    assert [caption.ids for caption in captions] == [(a, cat, sleeps, END), (a, UNKNOWN, UNKNOWN, a, cat, END)]
    assert [caption.named for caption in captions] == [{1: "cat"}, {4: "cat"}]
    assert all(caption.picture == IMAGINED for caption in captions)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_texts_are_lines(tmp_path, pack):
    path = tmp_path / "texts"
    path.write_bytes(pack("\ufeffa cat\r\n\n  a dog \n".encode()))
    assert read_texts(path) == ["a cat", "a dog"]


@pytest.mark.parametrize("data", [b"\xff\xfe\xff", b"\x1f\x8b\x08broken"])
def test_texts_that_are_none_are_refused(tmp_path, data):
    path = tmp_path / "texts"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="cannot read the texts .* one caption a line, UTF-8"):
        read_texts(path)
