import numpy as np
import pytest

from training.evaluation.calibration import Judged, calibration_error, fit, reliability, right_words


def test_words_are_right_whatever_their_ending():
    words = ["two", "dogs", "running", "with", "a", "frisbee"]
    assert right_words(words, ["A dog runs.", "nothing"]) == [True, True, False]


def test_calibration_error_by_hand():
    chances = np.array([0.95, 0.91, 0.15, 0.11])
    right = np.array([True, False, False, False])
    # the upper bin: 0.93 against 0.5, the lower 0.13 against 0; half of the words each
    assert calibration_error(chances, right) == pytest.approx(0.5 * 0.43 + 0.5 * 0.13)
    assert reliability(chances, right)[1] == pytest.approx((0.9, 0.93, 0.5, 0.5))


def test_certainty_that_is_right_has_no_error():
    assert calibration_error(np.array([1.0, 1.0, 0.0]), np.array([True, True, False])) == 0


def made(bias=0.3, count=4000, seed=0):
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, 5)) * [1.0, 0.5, 2.0, 0.1, 1.0]
    chances = 1 / (1 + np.exp(-(features @ [1.0, 0.0, 0.5, 3.0, 0.0] + bias)))
    return Judged(features, draw.random(count) < chances, np.arange(count) // 4)


def test_the_fit_finds_the_model_that_made_the_words():
    confidence = fit(made())
    found = [confidence.probability, confidence.caption, confidence.lead, confidence.focus, confidence.frequency]
    np.testing.assert_allclose(found, [1.0, 0.0, 0.5, 3.0, 0.0], atol=0.35)
    assert confidence.bias == pytest.approx(0.3, abs=0.1)


def test_a_feature_that_speaks_the_other_way_gets_no_weight():
    judged = made()
    confidence = fit(Judged(judged.features * [1, 1, -1, 1, 1], judged.right, judged.captions))
    assert confidence.lead == 0


def test_nine_of_ten_captions_above_the_threshold_are_mostly_right():
    judged = made(bias=1.3)
    confidence = fit(judged)
    weights = [confidence.probability, confidence.caption, confidence.lead, confidence.focus, confidence.frequency]
    chances = 1 / (1 + np.exp(-(judged.features @ weights + confidence.bias)))
    of_captions = chances.reshape(-1, 4).mean(1)
    good = judged.right.reshape(-1, 4).mean(1) > 0.5
    above = of_captions >= confidence.threshold
    assert 0.88 < good[above].mean() < 0.95
    assert 0.1 < above.mean() < 0.9
