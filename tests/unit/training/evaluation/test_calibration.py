import numpy as np
import pytest

from captioner.errors import DatasetError
from training.evaluation.calibration import (
    DOUBT,
    Judged,
    calibration_error,
    fit,
    reliability,
    right_words,
    word_records,
)


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


def made(bias=0.3, count=4000, seed=0, spread=0.0):
    """Content words whose chances are known; `spread` is how far those of the twenty different words lie apart."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count, 7)) * [1.0, 0.5, 2.0, 0.1, 1.0, 0.3, 0.0]
    words = draw.integers(20, size=count)
    odds = features @ [1.0, 0.0, 0.5, 3.0, 0.0, 2.0, 0.0] + bias + spread * draw.normal(size=20)[words]
    return Judged(features, draw.random(count) < 1 / (1 + np.exp(-odds)), np.arange(count) // 4, words.astype(str))


def test_the_fit_finds_the_model_that_made_the_words():
    found = fit(made()).model
    weights = [found.probability, found.caption, found.lead, found.focus, found.frequency, found.shown]
    np.testing.assert_allclose(weights, [1.0, 0.0, 0.5, 3.0, 0.0, 2.0], atol=0.35)
    assert found.record < 0.5  # all words are alike


def test_a_feature_that_speaks_the_other_way_gets_no_weight():
    judged = made()
    turned = judged.features * [1, 1, -1, 1, 1, 1, 1]
    assert fit(Judged(turned, judged.right, judged.captions, judged.stems)).model.lead == 0


def test_words_that_are_right_more_often_get_a_record_that_counts():
    found = fit(made(spread=1.5))
    assert found.model.record > 0.6
    assert max(found.records.values()) > found.unknown + 1 > min(found.records.values()) + 2


def test_records_by_hand():
    records, unknown = word_records(np.array(["dog", "dog", "cat"]), np.array([True, True, False]))
    mean = 3 / 5  # (2 + 1) / (3 + 2)
    dog, cat = (2 + DOUBT * mean) / (2 + DOUBT), DOUBT * mean / (1 + DOUBT)
    assert unknown == pytest.approx(np.log(mean / (1 - mean)))
    assert records == pytest.approx({"dog": np.log(dog / (1 - dog)), "cat": np.log(cat / (1 - cat))})


def test_nine_of_ten_captions_above_the_threshold_are_mostly_right():
    judged = made(bias=1.3)
    found = fit(judged)
    good = judged.right.reshape(-1, 4).mean(1) > 0.5
    above = found.chances.reshape(-1, 4).mean(1) >= found.model.threshold
    assert 0.88 < good[above].mean() < 0.95
    assert 0.1 < above.mean() < 0.9


def test_too_few_captions_are_told():
    judged = made(count=12)
    with pytest.raises(DatasetError, match="5 pictures or more"):
        fit(judged)
