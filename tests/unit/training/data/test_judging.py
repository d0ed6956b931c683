import numpy as np
import pytest
from PIL import Image

from training.data.detections import Names
from training.data.judging import Judge


@pytest.fixture(scope="module")
def judged(tiny_captioner):
    """A photo, its annotation vectors, and the judge of the model."""
    model = tiny_captioner.model
    pixels = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3)).astype("uint8")
    return Image.fromarray(pixels[0]), np.asarray(model.encoder(pixels))[0], Judge(model, tiny_captioner.vocabulary, 6)


def test_a_text_scores_as_the_library_scores_it(tiny_captioner, judged):
    photo, annotations, judge = judged
    texts = ["a brown dog", "a dog runs on grass", "grass"]
    expected = []
    for text in texts:
        caption = tiny_captioner.score(photo, text)
        expected.append(caption.score)  # its end is a word of its own
    np.testing.assert_allclose(judge(annotations, texts), expected, rtol=1e-4)


def test_other_texts_beside_it_change_nothing(judged):
    _, annotations, judge = judged
    alone, beside = judge(annotations, ["a dog"]), judge(annotations, ["a dog", "a brown dog runs on grass"])
    np.testing.assert_allclose(alone[0], beside[0], rtol=1e-5)


def test_a_text_with_an_unknown_word_comes_last(judged):
    _, annotations, judge = judged
    assert judge(annotations, ["a purple dog", "a dog"])[0] == -np.inf


def test_words_that_a_detector_vouches_for_are_read_and_not_judged(tiny_captioner, judged):
    photo, annotations, _ = judged
    judge = Judge(tiny_captioner.model, tiny_captioner.vocabulary, 6, vouched=Names(("dog", "zebra")))
    caption = tiny_captioner.score(photo, "a brown dog")
    of_others = 4 * caption.score - np.log(caption.words[2].probability)  # its end is a fourth word
    np.testing.assert_allclose(judge(annotations, ["a brown dog"]), [of_others / 3], rtol=1e-4)


def test_a_word_that_a_detector_vouches_for_need_not_be_known(tiny_captioner, judged):
    judge = Judge(tiny_captioner.model, tiny_captioner.vocabulary, 6, vouched=Names(("dog", "zebra")))
    scores = judge(judged[1], ["a zebra", "a purple zebra"])
    assert np.isfinite(scores[0])
    assert scores[1] == -np.inf
