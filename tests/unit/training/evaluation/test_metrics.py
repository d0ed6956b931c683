"""Scores: numbers worked out by hand, agreement with pycocoevalcap, and what must never change them."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from captioner.errors import DatasetError
from training.evaluation.metrics import CiderD, bleu, cider_d, evaluate_captions, rouge_l

WORDS = [f"w{i}" for i in range(30)]
SCORES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider_d")


def split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


@pytest.fixture(scope="module")
def corpus() -> tuple[list[list[str]], list[list[list[str]]]]:
    """200 pictures with one to five references; captions of 0 to 14 words, often near a reference."""
    rng = np.random.default_rng(11)

    def text(low):
        return [WORDS[min(29, int(i))] for i in rng.exponential(6.0, rng.integers(low, 15))]

    references = [[text(1) for _ in range(rng.integers(1, 6))] for _ in range(200)]
    candidates = [
        text(0) if rng.random() < 0.3 else [word for word in texts[0] if rng.random() < 0.8] for texts in references
    ]
    candidates[0], candidates[1], candidates[2] = [], ["w0"], ["nowhere", "nowhere", "w1"]
    return candidates, references


@pytest.fixture
def texts(corpus) -> tuple[list[str], list[list[str]]]:
    candidates, references = corpus
    return [" ".join(words) for words in candidates], [[" ".join(words) for words in each] for each in references]


def peers(corpus) -> tuple[dict, dict]:
    """The corpus as pycocoevalcap takes it: (references, candidates)."""
    candidates, references = corpus
    references = {i: [" ".join(words) for words in texts] for i, texts in enumerate(references)}
    return references, {i: [" ".join(words)] for i, words in enumerate(candidates)}


def test_bleu_by_hand():
    # Picture 1: "the" counts twice of three times; 3 of 4 words, 1 of 3 pairs, nothing longer; closest length 6.
    # Picture 2: all match; closest length 4. Together 8 words for 10, a brevity penalty of exp(1 - 10/8).
    candidates = split("the the the cat", "a dog runs fast")
    references = [split("the cat sat on the mat"), split("a dog runs fast", "dogs run")]
    precisions = np.array([7 / 8, 4 / 6, 2 / 4, 1 / 2])
    expected = [math.exp(1 - 10 / 8) * precisions[:n].prod() ** (1 / n) for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(bleu(candidates, references), expected, rtol=1e-12)


def test_bleu_takes_the_shorter_of_two_closest_references():
    assert bleu(split("a b c"), [split("a b", "a b c d")])[0] == 1.0


def test_bleu_without_matches_is_zero_and_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bleu(split("a b x y"), [split("a b c d")])[1:] == [pytest.approx(math.sqrt(1 / 2 * 1 / 3)), 0.0, 0.0]
        assert bleu(split("x"), [split("a b c d")]) == [0.0] * 4
        assert bleu([[]], [split("a b c d")]) == [0.0] * 4


def test_bleu_is_of_the_corpus_not_the_mean_of_sentences():
    candidates, references = split("a b c d", "x"), [split("a b c d"), split("y")]
    assert bleu(candidates, references)[0] == pytest.approx(4 / 5)
    assert bleu(candidates, references)[3] == pytest.approx((4 / 5) ** (1 / 4))


def test_rouge_l_by_hand():
    # Longest common subsequences of "a dog runs on grass": "a dog on grass" (4 of 6 words), "dog runs" (2 of 2).
    candidates, references = split("a dog runs on grass"), [split("a big dog lies on grass", "dog runs")]
    precision, recall = 4 / 5, 2 / 2
    expected = (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)
    assert rouge_l(candidates, references) == pytest.approx(expected, rel=1e-12)
    assert rouge_l([*candidates, []], [*references, split("a")]) == pytest.approx(expected / 2)


def test_cider_d_by_hand():
    # "a" is in both pictures and weighs nothing; "b", "c", "a b", "a c" and unseen n-grams weigh log 2.
    cider = CiderD([split("a b"), split("a c")])
    expected = [
        10 * (1 + 1 + 0 + 0) / 4,  # words and pairs match, no longer n-gram exists
        10 * math.exp(-1 / 72) / 4,  # the word that counts, in a caption one word short
        10 * (1 * 1) / (2 * 1) / 4,  # "b" twice, clipped to once, over a vector of length 2 log 2
        10 / math.sqrt(2) / 4 * math.exp(-1 / 72) + 10 / math.sqrt(2) / 4 * math.exp(-1 / 72),  # half of it unseen
        0.0,
        0.0,
    ]
    candidates = split("a b", "c", "b b", "a b z", "a c", "")
    np.testing.assert_allclose(cider.scores(candidates, [0, 1, 0, 0, 0, 0]), expected, rtol=1e-12)
    assert cider_d(split("a b", "c"), [split("a b"), split("a c")]) == pytest.approx(np.mean(expected[:2]))


def test_cider_d_averages_over_references():
    cider = CiderD([split("a b c d", "p q r s"), split("e f g h")])
    np.testing.assert_allclose(cider.scores(split("a b c d", "e f g h"), [0, 1]), [5.0, 10.0])


def test_agrees_with_pycocoevalcap(corpus):
    references, candidates = peers(corpus)
    np.testing.assert_allclose(bleu(*corpus), Bleu(4).compute_score(references, candidates, verbose=0)[0], atol=1e-9)
    assert rouge_l(*corpus) == pytest.approx(Rouge().compute_score(references, candidates)[0], abs=1e-9)
    mean, each = Cider().compute_score(references, candidates)
    assert cider_d(*corpus) == pytest.approx(mean, abs=1e-9)
    np.testing.assert_allclose(CiderD(corpus[1]).scores(corpus[0], range(200)), each, atol=1e-9)


def test_cider_d_of_some_captions_is_that_of_all(corpus):
    candidates, references = corpus
    cider = CiderD(references)
    whole = cider.scores(candidates, range(200))
    some = [7, 3, 3, 199, 0, 2]
    np.testing.assert_allclose(cider.scores([candidates[i] for i in some], some), whole[some], rtol=1e-12)
    assert cider.scores([], []).shape == (0,)


def test_cider_d_refuses_pictures_it_does_not_have():
    cider = CiderD([split("a b"), split("a c")])
    for captions, indices in ((split("a"), [2]), (split("a"), [-1]), (split("a", "b"), [0])):
        with pytest.raises(DatasetError, match="an index from 0 to 1"):
            cider.scores(captions, indices)


def test_a_reference_as_caption_scores_the_most():
    references = [[f"{a} {b} {c} rides a bike"] for a in "xyz" for b in "pqr" for c in "stu"]
    scores = evaluate_captions([each[0] for each in references], references)
    assert [scores[name] for name in SCORES] == pytest.approx([1, 1, 1, 1, 1, 10])


def test_order_of_pictures_changes_nothing(texts):
    predictions, references = texts
    order = np.random.default_rng(1).permutation(len(predictions))
    shuffled = evaluate_captions([predictions[i] for i in order], [references[i] for i in order])
    assert shuffled == pytest.approx(evaluate_captions(predictions, references))


def test_special_tokens_are_never_counted(texts):
    predictions, references = texts
    marked = [f"<start> {text} <end> <pad> <pad>" for text in predictions]
    assert evaluate_captions(marked, [[f"{text} <end>" for text in each] for each in references]) == evaluate_captions(
        predictions, references
    )
    one = evaluate_captions(["a pier at the end"], [["the end"]])
    assert (one["mean_length"], one["words_used"]) == (5, 5)


def test_an_unknown_word_is_a_wrong_word():
    assert evaluate_captions(["a <unk> dog"], [["a dog"]])["bleu_1"] == pytest.approx(2 / 3)


def test_one_rule_for_captions_and_references():
    scores = evaluate_captions(["A man's T-shirt .", "two dogs"], [["a mans tshirt"], ["Two dogs!"]])
    assert scores["bleu_1"] == scores["rouge_l"] == 1.0


def test_variety():
    scores = evaluate_captions(["a dog", "A dog.", "a cat runs"], [["a dog"], ["a dog"], ["a cat"]])
    assert (scores["distinct"], scores["words_used"]) == (2, 4)
    assert scores["exact"] == pytest.approx(2 / 3)
    assert scores["mean_length"] == pytest.approx(7 / 3)
    assert "3 pictures, all 3 references" in scores["protocol"]


def test_results_are_plain_numbers(texts):
    scores = evaluate_captions(*texts)
    assert set(scores) == {*SCORES, "exact", "distinct", "mean_length", "words_used", "protocol"}
    assert {type(scores[name]) for name in (*SCORES, "mean_length")} == {float}
    assert type(scores["distinct"]) is type(scores["words_used"]) is int


def test_empty_captions_score_nothing():
    scores = evaluate_captions(["", "..."], [["a dog"], ["!", "a cat"]])
    assert [scores[name] for name in SCORES] == [0.0] * 6
    assert scores["mean_length"] == 0.0


@pytest.mark.parametrize("score", [evaluate_captions, bleu, rouge_l, cider_d])
def test_wrong_input_is_named(score):
    for candidates, references, message in (
        ([], [], "is empty"),
        (["a"], [["a"], ["b"]], "Received: 1 for 2"),
        (["a", "b"], [["a"], []], "picture 1 has no reference"),
    ):
        with pytest.raises(DatasetError, match=message):
            score(candidates, references)


def test_references_alone_are_checked():
    with pytest.raises(DatasetError, match="is empty"):
        CiderD([])
    with pytest.raises(DatasetError, match="picture 0 has no reference"):
        CiderD([[]])
    assert CiderD([[[]]]).scores(split("a b"), [0]).tolist() == [0.0]
