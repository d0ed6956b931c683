import dataclasses

import numpy as np
import pytest

from captioner.caption import Word
from captioner.confidence import focus, rate_words, word_features
from captioner.config import ConfidenceConfig
from captioner.vocabulary import SPECIAL, Vocabulary

VOCABULARY = Vocabulary([*SPECIAL, "a", "dog", "cat", "zebra"])
UNIFORM = np.full((2, 2), 0.25, "float32")
POINT = np.array([[1, 0], [0, 0]], "float32")
MODEL = ConfidenceConfig(bias=1.0, probability=0.5, caption=0.3, lead=0.2, focus=0.4, frequency=0.1, threshold=0.6)


def word(text, probability=0.5, mask=UNIFORM, other=0.25):
    return Word(text, probability, mask, ((text, probability), ("thing", other)))


def test_features_by_hand():
    content, rows = word_features([word("a", 0.9), word("dog", 0.5), word("runs", 0.25, POINT)], VOCABULARY)
    assert content == [1, 2]
    mean = (np.log(0.5) + np.log(0.25)) / 2
    np.testing.assert_allclose(
        rows,
        [
            [np.log(0.5), mean, np.log(2), 0.0, -np.log(6), 0.0, 0.0],  # "dog" is the sixth of eight entries
            [np.log(0.25), mean, 0.0, 1.0, -np.log(8), 0.0, 0.0],  # not in the vocabulary: as rare as can be
        ],
        atol=1e-9,
    )


def test_focus_of_half_the_cells():
    assert focus(np.array([[0.5, 0.5], [0, 0]])) == pytest.approx(0.5)


def test_content_words_get_the_logistic_of_their_features():
    words = rate_words(MODEL, [word("a"), word("dog")], VOCABULARY)
    log = np.log(0.5)
    total = 1.0 + 0.5 * log + 0.3 * log + 0.2 * np.log(2) - 0.1 * np.log(6)
    assert words[0].confidence is None
    assert words[1].confidence == pytest.approx(1 / (1 + np.exp(-total)))


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (word("dog", 0.3, other=0.3), word("dog", 0.6, other=0.3)),
        (word("dog", mask=UNIFORM), word("dog", mask=POINT)),
        (word("dog", other=0.4), word("dog", other=0.1)),
        (word("zebra"), word("dog")),
    ],
)
def test_confidence_rises_with_each_feature(worse, better):
    chance = lambda one: rate_words(MODEL, [one], VOCABULARY)[0].confidence
    assert chance(worse) < chance(better)


def test_what_the_picture_says_of_each_word_is_read_by_its_place():
    known = np.arange(16, dtype="float32").reshape(8, 2)
    _, rows = word_features([word("a"), word("cat"), word("runs")], VOCABULARY, known)
    np.testing.assert_array_equal(rows[:, -2:], [known[6], known[3]])  # "runs" is <unk>


@pytest.mark.parametrize("column", [0, 1])
def test_confidence_rises_with_what_the_picture_and_the_record_say(column):
    model = MODEL.model_copy(update={"shown": 1.0, "record": 1.0})
    before = np.zeros((8, 2), "float32")
    after = before.copy()
    after[5, column] = 0.5
    chance = lambda known: rate_words(model, [word("dog")], VOCABULARY, known)[0].confidence
    assert chance(before) < chance(after)


def test_a_sure_neighbour_helps():
    chance = lambda neighbour: rate_words(MODEL, [word("dog"), neighbour], VOCABULARY)[0].confidence
    assert chance(word("cat", 0.1)) < chance(word("cat", 0.9))


def test_a_caption_without_content_stays_as_it_is():
    words = (word("a"), word("the"))
    assert [dataclasses.asdict(w)["confidence"] for w in rate_words(MODEL, words, VOCABULARY)] == [None, None]
    assert rate_words(MODEL, (), VOCABULARY) == ()


def test_a_negative_weight_is_refused():
    from captioner.errors import ConfigError

    with pytest.raises(ConfigError, match="focus"):
        ConfidenceConfig.parse({**MODEL.model_dump(), "focus": -0.1})
