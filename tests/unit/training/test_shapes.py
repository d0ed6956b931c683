"""The generated data set: what is drawn, what is said of it, where it is, and that the three agree."""

from __future__ import annotations

import collections
import dataclasses

import numpy as np
import pytest
from PIL import Image

from captioner.errors import DatasetError
from training import shapes
from training.data.datasets import read_boxes, read_dataset
from training.data.detections import read_detections
from training.data.texts import read_texts
from training.shapes import COLOURS, PLURALS, SIZES, Scene, Shape, captions_of, draw_scene, phrases_of, sample_scene

SIDE = 128
NOUNS = {noun: kind for kind, plural in PLURALS.items() for noun in (kind, plural)}
HOLDS = {
    "above": lambda first, second: first[3] < second[1],
    "below": lambda first, second: first[1] > second[3],
    "left": lambda first, second: first[2] < second[0],
    "right": lambda first, second: first[0] > second[2],
}


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = np.random.default_rng(5)
    return [sample_scene(rng) for _ in range(300)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    shapes.write_shapes(folder, {"train": 24, "dev": 6, "test": 8}, image_size=64, seed=3)
    return folder


def pixels(scene: Scene) -> np.ndarray:
    return np.asarray(draw_scene(scene, SIDE), int)


def ground_of(scene: Scene) -> np.ndarray:
    return pixels(dataclasses.replace(scene, shapes=()))


def square(box, size="small", colour="red") -> Shape:
    return Shape("square", colour, size, box)


def test_boxes_are_tight_around_what_is_drawn(scenes):
    for scene in scenes[:60]:
        ground = ground_of(scene)
        for shape in scene.shapes:
            differs = np.abs(pixels(dataclasses.replace(scene, shapes=(shape,))) - ground).max(axis=2) > 12
            rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
            drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
            np.testing.assert_allclose(drawn, np.array(shape.box) * SIDE, atol=1.5, err_msg=str(shape))


def test_nothing_is_drawn_outside_the_boxes(scenes):
    for scene in scenes[:60]:
        outside = np.ones((SIDE, SIDE), bool)
        for shape in scene.shapes:
            left, top, right, bottom = shape.box
            outside[int(top * SIDE) : int(np.ceil(bottom * SIDE)), int(left * SIDE) : int(np.ceil(right * SIDE))] = (
                False
            )
        assert (pixels(scene) == ground_of(scene))[outside].all()


def test_shapes_are_drawn_in_the_colour_they_are_named(scenes):
    names = list(COLOURS)
    for scene in scenes[:60]:
        picture = pixels(scene)
        for shape in scene.shapes:
            x, y = (np.add(shape.box[:2], shape.box[2:]) / 2 * SIDE).astype(int)
            distances = [np.abs(picture[y, x] - COLOURS[name]).sum() for name in names]
            assert names[int(np.argmin(distances))] == shape.colour


def test_shapes_keep_apart_and_inside_the_picture(scenes):
    for scene in scenes:
        for i, shape in enumerate(scene.shapes):
            assert min(shape.box) > 0.02 and max(shape.box) < 0.98
            for other in scene.shapes[:i]:
                assert any(holds(shape.box, other.box) for holds in HOLDS.values())
                assert shapes._gap(shape, other) >= shapes.GAP


def test_sizes_are_what_they_are_called(scenes):
    longest = collections.defaultdict(list)
    for shape in (shape for scene in scenes for shape in scene.shapes):
        left, top, right, bottom = shape.box
        longest[shape.size].append(max(right - left, bottom - top))
    assert max(longest["small"]) * 1.2 < min(longest["medium"])
    assert max(longest["medium"]) * 1.2 < min(longest["large"])


def test_captions_are_true_of_the_boxes(scenes):
    for scene in scenes:
        for caption in captions_of(scene):
            words = caption.split()
            phrases = phrases_of(scene, caption)
            assert all(words[phrase["word"]] in NOUNS for phrase in phrases)
            told = [tuple(box) for phrase in phrases for box in phrase["boxes"]]
            assert sorted(told) == sorted(shape.box for shape in scene.shapes)
            for relation in set(words) & set(HOLDS):
                first, second = told
                assert HOLDS[relation](first, second)
            if words[0] != "a":
                assert len(told) == {"two": 2, "three": 3}[words[0]]


def test_words_of_a_phrase_describe_its_shapes(scenes):
    for scene in scenes:
        by_box = {shape.box: shape for shape in scene.shapes}
        for caption in captions_of(scene):
            words = caption.split()
            for phrase in phrases_of(scene, caption):
                i = phrase["word"]
                for box in phrase["boxes"]:
                    assert by_box[tuple(box)].look == (words[i - 2], words[i - 1], NOUNS[words[i]])


def test_a_relation_is_told_from_both_sides():
    scene = Scene((square((0.4, 0.1, 0.55, 0.25)), square((0.3, 0.5, 0.65, 0.85), "large", "blue")), (230, 230, 230), 1)
    assert captions_of(scene) == (
        "a small red square above a large blue square",
        "a large blue square below a small red square",
    )
    assert [phrase["word"] for phrase in phrases_of(scene, captions_of(scene)[0])] == [3, 8]


def test_alike_shapes_are_counted():
    scene = Scene(
        tuple(Shape("cross", "red", "small", (x, 0.1, x + 0.15, 0.25)) for x in (0.1, 0.4, 0.7)), (230,) * 3, 1
    )
    assert captions_of(scene) == ("three small red crosses",)
    (phrase,) = phrases_of(scene, "three small red crosses")
    assert (phrase["word"], len(phrase["boxes"])) == (3, 3)


def test_scenes_without_a_certain_caption_are_refused():
    diagonal = (square((0.1, 0.1, 0.25, 0.25)), square((0.6, 0.6, 0.75, 0.75), colour="blue"))
    mixed = (*diagonal, square((0.6, 0.1, 0.75, 0.25)))
    for wrong in (diagonal, mixed):
        with pytest.raises(DatasetError, match="a scene has one shape"):
            captions_of(Scene(wrong, (230, 230, 230), 1))


def test_phrases_of_a_false_caption_are_refused(scenes):
    with pytest.raises(DatasetError, match="a huge pink dog"):
        phrases_of(scenes[0], "a huge pink dog")


def test_right_is_every_word_of_any_reference():
    references = ("a small red square above a large blue star", "a large blue star below a small red square")
    assert shapes.is_right("A large blue star below a small red square.", references)
    assert not shapes.is_right("a small red square", references)
    assert not shapes.is_right("a small red square below a large blue star", references)
    assert not shapes.is_right("", references)


def test_the_same_seed_draws_the_same_scenes():
    first, again, other = (sample_scene(np.random.default_rng(seed)) for seed in (9, 9, 10))
    assert first == again != other
    assert draw_scene(first).tobytes() == draw_scene(again).tobytes()


def test_scenes_vary(scenes):
    words = collections.Counter(word for scene in scenes for word in captions_of(scene)[0].split())
    expected = {*COLOURS, *SIZES, *NOUNS, *HOLDS, "a", "two", "three", "of"}
    assert set(words) == expected
    assert len({captions_of(scene)[0] for scene in scenes}) > 200
    assert {len(scene.shapes) for scene in scenes} == {1, 2, 3}
    cells = collections.Counter(
        tuple((np.add(shape.box[:2], shape.box[2:]) / 2 * 3).astype(int)) for scene in scenes for shape in scene.shapes
    )
    assert len(cells) == 9 and min(cells.values()) > 15
    assert len({scene.background for scene in scenes}) > 200


def test_every_relation_is_told_first_about_as_often(scenes):
    told = collections.Counter(word for scene in scenes for word in captions_of(scene)[0].split() if word in HOLDS)
    assert min(told.values()) > 0.15 * told.total()


def test_no_scene_is_in_two_splits(monkeypatch, scenes):
    one, two, three = scenes[:3]
    twice = iter([one, dataclasses.replace(one, shapes=one.shapes[::-1], seed=1), two, one, two, three])
    monkeypatch.setattr(shapes, "sample_scene", lambda rng: next(twice))
    drawn = list(shapes._scenes({"train": 2, "test": 1}, seed=0))
    assert drawn == [("train", 0, one), ("train", 1, two), ("test", 0, three)]


def test_a_split_stays_when_another_grows():
    few, many = (list(shapes._scenes({"train": count, "test": 3}, seed=1)) for count in (2, 5))
    assert few[:2] == many[:2] and few[2:] == many[5:]


def test_written_data_set_reads_back(dataset):
    examples = read_dataset(dataset)
    boxes = read_boxes(dataset / "boxes.json.gz")
    assert collections.Counter(example.split for example in examples) == {"train": 24, "dev": 6, "test": 8}
    assert set(boxes) == {example.image.name for example in examples}
    for example in examples:
        with Image.open(example.image) as picture:
            assert (picture.size, picture.mode, picture.format) == ((64, 64), "RGB", "PNG")
        assert tuple(entry["text"] for entry in boxes[example.image.name]) == example.captions
        for entry in boxes[example.image.name]:
            for phrase in entry["phrases"]:
                assert phrase["type"] == "shape" and entry["text"].split()[phrase["word"]] in NOUNS
    assert len({example.image.read_bytes() for example in examples}) == len(examples)


def test_the_same_seed_writes_the_same_files(dataset, tmp_path):
    shapes.write_shapes(tmp_path, {"train": 24, "dev": 6, "test": 8}, image_size=64, seed=3)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.*"))
    assert len(files) == 40
    assert all((dataset / path).read_bytes() == (tmp_path / path).read_bytes() for path in files)


@pytest.mark.parametrize(
    ("counts", "image_size"), [({"train": -1}, 64), ({"training": 2}, 64), ({}, 64), ({"train": 2}, 16)]
)
def test_wrong_arguments_are_named(tmp_path, counts, image_size):
    with pytest.raises(DatasetError, match="shapes need counts"):
        shapes.write_shapes(tmp_path / "out", counts, image_size)
    assert not (tmp_path / "out").exists()


def test_a_kind_without_captions_is_boxed_and_in_texts(tmp_path):
    shapes.write_shapes(tmp_path, {"train": 24, "dev": 6, "test": 8}, image_size=64, seed=3, uncaptioned="star")
    of_split = {split: [e for e in read_dataset(tmp_path) if e.split == split] for split in ("train", "dev", "test")}
    assert not any("star" in text for split in ("train", "dev") for e in of_split[split] for text in e.captions)
    assert any("star" in text for e in of_split["test"] for text in e.captions)
    detections = read_detections([tmp_path / "detections.json.gz"], list(PLURALS))
    for example in of_split["train"]:
        kinds = {kind for kind, *_ in detections.of_photo[example.image.name]}
        assert ("star" in kinds) == (not example.captions)
    texts = read_texts(tmp_path / "texts.txt")
    assert len(texts) == 12
    assert any("star" in text for text in texts)
    assert set(read_boxes(tmp_path / "boxes.json.gz")) >= {e.image.name for e in of_split["train"]}


def test_a_kind_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="uncaptioned is one of circle, .*Received: 'hexagon'"):
        shapes.write_shapes(tmp_path, {"train": 1}, uncaptioned="hexagon")
