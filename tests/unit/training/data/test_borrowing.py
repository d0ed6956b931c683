import numpy as np
import pytest

from training.data import borrowing
from training.data.borrowing import Ridge, Texts, agreement, best_texts, describe_photos, nearest_texts, yielding
from training.data.detections import Detections

ANIMALS = ["a cat sleeps on a sofa", "the cat lies on the sofa", "a dog runs over grass", "one dog on the grass"]


@pytest.fixture
def pool(monkeypatch):
    monkeypatch.setattr(borrowing, "LEAST", 1)
    filler = [f"word{i} other{i}" for i in range(40)]
    return Texts([*ANIMALS, *filler], topics=8), [*ANIMALS, *filler]


def test_texts_on_one_subject_lie_near_each_other(pool):
    vectors = pool[0].vectors[:4]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-4)
    near = vectors @ vectors.T
    assert near[0].argsort()[-2:].tolist() == [1, 0]  # itself, then the other one with the sofa
    assert near[2].argsort()[-2:].tolist() == [3, 2]


def test_ridge_without_penalty_finds_a_linear_map():
    draw = np.random.default_rng(0)
    inputs, matrix = draw.normal(size=(50, 3)), draw.normal(size=(3, 2))
    targets = inputs @ matrix + [1.0, -2.0]
    ridge = Ridge(inputs, targets, np.ones(50), 1e-9)
    np.testing.assert_allclose(ridge(np.eye(3)), np.eye(3) @ matrix + [1.0, -2.0], atol=1e-4)


def test_rows_that_count_for_nothing_change_nothing():
    draw = np.random.default_rng(1)
    inputs, targets = draw.normal(size=(30, 3)), draw.normal(size=(30, 2))
    some = Ridge(inputs[:20], targets[:20], np.ones(20), 1.0)
    weighted = Ridge(inputs, targets, np.r_[np.ones(20), np.zeros(10)], 1.0)
    np.testing.assert_allclose(some(inputs), weighted(inputs), atol=1e-6)


def test_the_texts_that_agree_are_borrowed(pool):
    vectors, texts = pool
    places = nearest_texts(vectors.mean(["a cat on the sofa"]), vectors, count=4)
    assert sorted(best_texts(places, agreement(places, vectors, texts), vectors, texts, count=2)) == [0, 1]


def test_the_best_scores_win_but_no_text_comes_in_the_words_of_another(pool):
    vectors, texts = pool
    texts = [*texts[:1], "on a sofa a cat sleeps", *texts[2:]]  # the words of the first
    assert best_texts([0, 1, 2, 3], np.array([3.0, 2.0, 1.0, -np.inf]), vectors, texts, count=4) == [0, 2]


def test_a_text_that_was_borrowed_yields_to_one_that_was_not():
    times = np.array([np.e - 1, 0, np.e**2 - 1])
    np.testing.assert_allclose(yielding(np.array([-1.0, -1.1, -0.9]), times, 0.2), [-1.2, -1.1, -1.3])
    np.testing.assert_array_equal(yielding(np.array([-1.0, -1.1, -0.9]), times, 0.0), [-1.0, -1.1, -0.9])


def test_a_photo_is_described_by_its_annotations_and_detections():
    features = np.array([[[1.0, 4.0], [3.0, 0.0]]], "float16")
    detections = Detections({"a.jpg": [("cat", 0.8, 0.0, 0.0, 0.5, 0.5), ("cat", 0.6, 0, 0, 1, 1)]}, ("cat", "dog"))
    rows = describe_photos(features, ["a.jpg"], detections)
    np.testing.assert_allclose(rows, [[2, 2, 3, 4, 0.8, 0, 0.6, 0, np.log1p(1.4), 0]], rtol=1e-6)
