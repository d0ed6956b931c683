import numpy as np

from training.data.detections import Detections, Names, Nouns
from training.data.naming import NamingTexts, best_ranked, boxed, seen_classes

TEXTS = ["a cat on a sofa", "two dogs", "a kitten and a dog", "dogs with a cat", "grass"]


def test_texts_are_found_by_just_the_classes_that_they_name():
    naming = NamingTexts(TEXTS, Names(("cat", "dog")))
    assert naming({"cat"}) == ["a cat on a sofa"]
    assert naming(["dog", "cat"]) == ["a kitten and a dog", "dogs with a cat"]
    assert naming({"cat", "horse"}) == []


def test_a_picture_that_shows_nothing_borrows_nothing():
    assert NamingTexts(TEXTS, Names(("cat", "dog")))(()) == []


def test_what_the_detector_is_not_sure_of_is_not_seen():
    detections = Detections({"a.jpg": [("cat", 0.3, 0, 0, 1, 1), ("dog", 0.29, 0, 0, 1, 1)]}, ("cat", "dog"))
    assert seen_classes(detections, "a.jpg") == {"cat"}
    assert seen_classes(detections, "b.jpg") == frozenset()


def test_no_text_comes_twice():
    assert NamingTexts(["two dogs", "a dog", "two dogs"], Names(("dog",)))({"dog"}) == ["two dogs", "a dog"]


def test_the_best_texts_come_first_and_none_that_cannot_be_judged():
    scores = np.array([-3.0, -1.0, -np.inf, -2.0])
    assert best_ranked(["c", "a", "d", "b"], scores, 2) == ["a", "b"]
    assert best_ranked(["c", "a", "d", "b"], scores, 9) == ["a", "b", "c"]


def test_names_get_the_boxes_of_the_detector():
    nouns = Nouns(Detections({"a.jpg": [("cat", 0.9, 0, 0, 0.5, 1)]}, ("cat", "dog")), Names(("cat", "dog")))
    text = "well , a kitten and a dog"  # the comma is a word of the text and none of the caption
    assert boxed("a.jpg", text, nouns) == {
        "text": text,
        "phrases": [{"word": 3, "type": "detected", "boxes": [[0, 0, 0.5, 1]]}],
    }
