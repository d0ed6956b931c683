import numpy as np
import pytest

from captioner.caption import Caption, Word
from training.evaluation import objects
from training.evaluation.objects import judge_objects, mask_box, overlap

LEFT, RIGHT = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]
MASKS = {"left": np.array([[0.5, 0], [0.5, 0]], "float32"), "right": np.array([[0, 0.5], [0, 0.5]], "float32")}


def caption(**words):
    """A caption of words and where their masks lie."""
    return Caption(tuple(Word(text, 0.5, MASKS[side]) for text, side in words.items()), -1.0, b"", (8, 8))


def reference(text, **boxes):
    places = text.split()
    return {"text": text, "phrases": [{"word": places.index(word), "boxes": [box]} for word, box in boxes.items()]}


@pytest.fixture(autouse=True)
def every_class_counts(monkeypatch):
    monkeypatch.setattr(objects, "LEAST", 1)


def test_box_of_a_mask_is_that_of_its_cells_from_half_the_largest_on():
    mask = np.array([[0.1, 0.4, 0.1, 0.0], [0.1, 0.2, 0.1, 0.0]])
    assert mask_box(mask) == [0.25, 0.0, 0.5, 1.0]
    assert mask_box(np.full((2, 4), 0.125)) == [0.0, 0.0, 1.0, 1.0]


def test_overlap_of_a_half_and_a_quarter():
    assert overlap(LEFT, [0, 0, 0.5, 0.5]) == pytest.approx(0.5)
    assert overlap(LEFT, RIGHT) == 0
    assert overlap([0, 0, 0.6, 1], [0.2, 0, 0.8, 1]) == pytest.approx(0.4 / 0.8)


def test_figures_by_hand():
    captions = [caption(dog="left", ball="left"), caption(dogs="left", hat="right")]
    boxes = [
        [reference("a dog and a ball", dog=LEFT, ball=RIGHT)],  # the dog in its place, the ball not
        [reference("a dog", dog=LEFT), reference("two boys in a hat", boys=RIGHT)],  # a hat that nobody boxed
    ]
    figures = judge_objects(captions, boxes)
    # classes dog, ball, boy; precision: dog 1, 1, and not in the last reference: 2/3, ball 0, boy never named
    precision = (2 / 3 + 0 + 0) / 3
    # recall: dog 1, 1, ball 0, boy 0
    recall = (1 + 0 + 0) / 3
    assert figures["classes"] == 3
    assert figures["f1_all"] == pytest.approx(2 * precision * recall / (precision + recall))
    assert figures["f1_loc"] == pytest.approx(1 / 3)  # of what is named rightly: dog always, ball never, boy not named
    assert figures["attention_correctness"] == pytest.approx((1 + 0 + 1) / 3)


def test_a_word_that_the_reference_has_without_a_box_is_no_mistake():
    of_two = [[reference("a dog with a ball", dog=LEFT)], [reference("a ball", ball=LEFT)]]
    figures = judge_objects([caption(dog="left", ball="left"), caption(ball="left")], of_two)
    assert figures["f1_all"] == figures["f1_loc"] == 1


def test_no_boxes_no_figures():
    assert judge_objects([caption(dog="left")], [[]]) == {}
