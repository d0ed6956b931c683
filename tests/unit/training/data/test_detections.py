import gzip
import json

import numpy as np
import pytest

from captioner.errors import DatasetError
from training.data.detections import Detections, Names, Nouns, bump, plurals, read_detections

CLASSES = ("dog", "hot dog", "knife", "person", "traffic light")


def write(path, content, zipped=False):
    data = json.dumps(content).encode()
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path


def test_a_bump_is_highest_in_the_middle_of_its_box():
    grid = bump([0.0, 0.0, 1.0, 0.5], (4, 4)).reshape(4, 4)
    assert (grid[2:] == 0).all()
    assert (grid[:2] > 0).all()
    assert (grid[:2, 1:3] > grid[:2, ::3]).all()
    # centres of columns lie 1/4 and 3/4 of the half width from the middle, those of rows 1/2
    assert grid[0, 1] == pytest.approx(np.exp(-0.25 * (0.25**2 + 0.5**2)), rel=1e-6)
    assert grid[0, 0] == pytest.approx(np.exp(-0.25 * (0.75**2 + 0.5**2)), rel=1e-6)


def test_a_box_smaller_than_a_cell_lights_one():
    grid = bump([0.55, 0.30, 0.56, 0.31], (4, 4))
    assert np.flatnonzero(grid).tolist() == [6]  # row 1, column 2


def test_maps_take_the_best_score_of_each_class():
    whole = [0.0, 0.0, 1.0, 1.0]
    detections = Detections({"a.jpg": [("dog", 0.4, *whole), ("dog", 0.8, *whole), ("knife", 0.5, *whole)]}, CLASSES)
    maps = detections.maps("a.jpg", (3, 3))
    shape = bump(whole, (3, 3))
    np.testing.assert_allclose(maps[:, 0], 0.8 * shape)
    np.testing.assert_allclose(maps[:, 2], 0.5 * shape)
    assert not maps[:, [1, 3, 4]].any()
    assert not detections.maps("unknown.jpg", (3, 3)).any()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a dog eats a hot dog", {1: "dog", 5: "hot dog"}),
        ("two dogs", {1: "dog"}),
        ("hot dogs and knives", {1: "hot dog", 3: "knife"}),
        ("a woman waits at the traffic light", {1: "person", 6: "traffic light"}),
        ("a traffic jam", {}),
        ("dog", {0: "dog"}),
        ("", {}),
    ],
)
def test_words_name_classes(text, named):
    assert Names(CLASSES).find(text.split()) == named


@pytest.mark.parametrize(
    ("name", "plural"), [("bus", "buses"), ("puppy", "puppies"), ("boy", "boys"), ("knife", "knives"), ("cat", "cats")]
)
def test_plurals(name, plural):
    assert plural in plurals(name)


def test_nouns_get_the_boxes_of_sure_detections():
    box, faint = (0.1, 0.1, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)
    detections = Detections({"a.jpg": [("dog", 0.9, *box), ("dog", 0.1, *faint), ("knife", 0.2, *faint)]}, CLASSES)
    nouns = Nouns(detections, Names(CLASSES))
    assert nouns.boxes("a.jpg", ["a", "dog", "with", "a", "knife"]) == {1: [list(box)]}


@pytest.mark.parametrize("zipped", [True, False])
def test_files_are_read_and_joined(tmp_path, zipped):
    first = write(tmp_path / "a.json", {"a.jpg": [["dog", 0.5, 0, 0, 1, 1]]}, zipped)
    second = write(tmp_path / "b.json", {"b.jpg": [["cat", 0.5, 0, 0, 1, 1], ["dog", 1, 0, 0, 1, 0.5]]}, zipped)
    assert read_detections([first, second]).classes == ("cat", "dog")
    chosen = read_detections([first, second], ("dog",))
    assert chosen.classes == ("dog",)
    assert chosen.of_photo == {"a.jpg": [("dog", 0.5, 0, 0, 1, 1)], "b.jpg": [("dog", 1, 0, 0, 1, 0.5)]}


@pytest.mark.parametrize(
    "content",
    [[], {"a.jpg": 3}, {"a.jpg": [["dog", 0.5, 0, 0, 1]]}, {"a.jpg": [["dog", 2, 0, 0, 1, 1]]}, {"a.jpg": [[1]]}],
)
def test_another_layout_is_refused(tmp_path, content):
    with pytest.raises(DatasetError, match=r"cannot read the detections .*expected \{photo: \[\[class, score, left"):
        read_detections([write(tmp_path / "bad.json", content)])


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="cannot read the detections"):
        read_detections([tmp_path / "none.json"])
