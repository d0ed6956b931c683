import numpy as np
import pytest
from PIL import Image

from training.evaluation.wording import content_precision, repeats, resaved, twice_running, wording


@pytest.mark.parametrize(
    ("caption", "again"),
    [
        ("a boy in a white shirt and a white shirt", True),
        ("a boy in a shirt and a red shirt", True),
        ("a horse is riding on a horse", True),
        ("a man with a man", True),
        ("a dog and an dog", True),
        ("a man in a red shirt and a woman in a blue shirt", False),
        ("two dogs run in a field", False),
        ("a dog and a hotdog", False),
    ],
)
def test_things_joined_to_themselves(caption, again):
    assert repeats(caption) is again


def test_a_word_twice_running():
    assert twice_running("a bed bed")
    assert not twice_running("a bed and a bed")


def test_content_precision_by_hand():
    references = [["a brown dog runs", "dog"], ["a cat"]]
    # "dogs" and "running" are there, "park" is not; "cat" is there, "the" says nothing
    assert content_precision(["dogs running park", "the cat"], references) == pytest.approx((2 / 3 + 1) / 2)
    found = wording(["dogs running park", "the cat"], references)
    assert found["content_precision_people"] == pytest.approx(1 / 3)  # brown, dog, runs against "dog"
    assert found["repetition"] == found["twice_running"] == 0


def test_a_resaved_picture_is_the_same_to_the_eye():
    draw = np.random.default_rng(0)
    smooth = Image.fromarray(draw.integers(0, 256, (6, 8, 3), "uint8")).resize((400, 300), Image.Resampling.BICUBIC)
    small, again = resaved(smooth)
    assert small.size == again.size == (224, 224)
    difference = np.abs(np.asarray(small, int) - np.asarray(again, int))
    assert difference.max() > 0 and difference.mean() < 3
    assert again.format == "JPEG"
