"""Photos without captions borrow those of others, by name: the command's whole way with a model folder."""

import numpy as np
import pytest
from PIL import Image

from captioner import DatasetError
from training.borrow import borrow_by_name
from training.data.datasets import Example, read_boxes, read_dataset, write_dataset
from training.data.datasets.boxes import write_boxes
from training.data.detections import Detections

pytestmark = pytest.mark.slow
POOL = ["a dog on grass", "a dog", "a brown dog runs", "a zebra", "a zebra on grass", "a purple zebra"]
SEEN = {
    "plain.png": [("zebra", 0.9, 0, 0, 1, 1)],
    "both.png": [("zebra", 0.9, 0, 0, 1, 1), ("dog", 0.9, 0, 0, 1, 1)],  # no text names both
    "test.png": [("dog", 0.9, 0, 0, 1, 1)],
    "captioned.png": [("dog", 0.9, 0, 0, 1, 1)],
}


@pytest.fixture
def data(tmp_path):
    draw = np.random.default_rng(0)
    for name in SEEN:
        Image.fromarray(draw.integers(0, 255, (32, 32, 3)).astype("uint8")).save(tmp_path / name)
    of = lambda name, split, *captions: Example(str(tmp_path / name), split, captions)
    examples = [of("captioned.png", "train", "grass"), of("plain.png", "train"), of("both.png", "train")]
    write_dataset([*examples, of("test.png", "test", "a dog")], tmp_path)
    return tmp_path


def borrow(data, saved):
    write_boxes({"captioned.png": []}, data / "boxes.json.gz")
    seen = Detections(SEEN, ("dog", "zebra"))
    return borrow_by_name(data, data, POOL, seen, str(saved), data / "work", 2, data / "boxes.json.gz")


def test_a_kind_that_no_caption_names_gets_its_name(data, saved):
    assert borrow(data, saved) == 1
    captions = {example.image.name: example.captions for example in read_dataset(data)}
    assert sorted(captions.pop("plain.png")) == ["a zebra", "a zebra on grass"]  # "purple" is a word nobody knows
    assert captions == {"captioned.png": ("grass",), "both.png": (), "test.png": ("a dog",)}
    boxes = read_boxes(data / "boxes.json.gz")
    assert list(boxes) == ["captioned.png", "plain.png"]
    assert all(entry["phrases"][0]["boxes"] == [[0, 0, 1, 1]] for entry in boxes["plain.png"])


def test_where_every_picture_has_captions_it_is_said(data, saved):
    write_dataset([Example(example.file, "test", ("a dog",)) for example in read_dataset(data)], data)
    with pytest.raises(DatasetError, match="has captions already"):
        borrow(data, saved)
