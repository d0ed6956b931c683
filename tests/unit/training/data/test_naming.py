import numpy as np

from training.data.detections import Detections, Names
from training.data.naming import NamingTexts, best_different, seen_classes

TEXTS = ["a cat on a sofa", "two dogs", "a kitten and a dog", "dogs with a cat", "grass"]


def test_texts_are_found_by_just_the_classes_that_they_name():
    naming = NamingTexts(TEXTS, Names(("cat", "dog")))
    assert naming({"cat"}) == [0]
    assert naming(["dog", "cat"]) == [2, 3]
    assert naming({"cat", "horse"}) == []


def test_a_picture_that_shows_nothing_borrows_nothing():
    assert NamingTexts(TEXTS, Names(("cat", "dog")))(()) == []


def test_what_the_detector_is_not_sure_of_is_not_seen():
    detections = Detections({"a.jpg": [("cat", 0.3, 0, 0, 1, 1), ("dog", 0.29, 0, 0, 1, 1)]}, ("cat", "dog"))
    assert seen_classes(detections, "a.jpg") == {"cat"}
    assert seen_classes(detections, "b.jpg") == frozenset()


def test_the_best_texts_come_first_and_none_twice():
    scores = np.array([-3.0, -1.0, -1.0, -np.inf, -2.0])
    assert best_different(["c", "a", "a", "d", "b"], scores, 3) == ["a", "b", "c"]
