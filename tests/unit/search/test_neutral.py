"""Words that say whether somebody is a man or a woman give way before the search chooses."""

from __future__ import annotations

import numpy as np
import pytest

from captioner import ConfigError
from captioner.config import DecodingOptions
from captioner.search import strategies
from captioner.search.controls import IMPOSSIBLE, Controls
from captioner.search.neutral import KINDS, Neutral
from captioner.vocabulary import SPECIAL, Vocabulary

ENGLISH = Vocabulary([*SPECIAL, "a", "man", "woman", "person", "dog", "they", "runs", "run"])


def test_the_probabilities_of_a_kind_are_added_up_in_the_word_that_is_written():
    neutral = Neutral.of(ENGLISH)
    shares = np.array([0, 0, 0.05, 0, 0.1, 0.3, 0.25, 0.1, 0.1, 0.05, 0.04, 0.01], np.float32)
    values = neutral.add_up(np.log(shares + 1e-12))
    assert np.exp(values[ENGLISH.encode(["person"])[0]]) == pytest.approx(0.65)
    others = ENGLISH.encode(["a", "dog", "man"])
    np.testing.assert_allclose(np.exp(values[others]), shares[others], rtol=1e-5)
    assert ENGLISH.decode(neutral.replaced) == ["man", "woman"]


@pytest.mark.parametrize(
    ("words", "forbidden", "kinds"),
    [
        ("a person man", "", {"person": ["person", "man"]}),
        ("a human man", "", {"human": ["human", "man"]}),  # the next best word
        ("a person human man", "person", {"human": ["human", "man"]}),  # nor one that is forbidden
        ("a man male", "", {}),  # none: the words go all the same
        ("a person boy fisherman", "", {"person": ["person", "fisherman", "boy"]}),  # two kinds that share a word
        ("a the his", "", {"the": ["the", "his"]}),
    ],
)
def test_kinds_of_a_vocabulary(words, forbidden, kinds):
    vocabulary = Vocabulary([*SPECIAL, *words.split()])
    neutral = Neutral.of(vocabulary, vocabulary.encode(forbidden.split()))
    found = {vocabulary.words[target]: vocabulary.decode(ids) for target, ids in neutral.kinds}
    assert found == kinds
    replaced = {word for _, group in KINDS for word in group.split()}
    assert set(vocabulary.decode(neutral.replaced)) == set(words.split()) & replaced


def test_no_word_is_written_that_another_kind_replaces():
    replaced = [word for _, words in KINDS for word in words.split()]
    assert len(set(replaced)) == len(replaced)
    assert not set(replaced) & {word for written, _ in KINDS for word in written.split()}
    # "a" stands before it, as before what it replaces
    assert not [word for written, words in KINDS for word in written.split() if word[0] in "aeiou" and words[-1] != "s"]


def test_after_they_no_verb_of_a_single_subject_follows():
    neutral = Neutral.of(ENGLISH)
    assert ENGLISH.words[neutral.they] == "they" and ENGLISH.decode(neutral.singular) == ["runs"]
    controls = Controls.resolve(DecodingOptions(neutral=True), ENGLISH, 5)
    values = strategies.allowed(np.zeros(len(ENGLISH), np.float32), ENGLISH.encode(["they"]), controls)
    assert ENGLISH.decode(np.flatnonzero(values == IMPOSSIBLE)) == ["runs"]


def test_a_kind_may_come_again_where_other_words_may_not():
    controls = Controls.resolve(DecodingOptions(neutral=True, no_repeat_ngram=2, no_repeat_within=5), ENGLISH, 9)
    before = ENGLISH.encode(["a", "person", "a", "dog", "a"])
    values = strategies.allowed(np.zeros(len(ENGLISH), np.float32), before, controls)
    assert ENGLISH.decode(np.flatnonzero(values == IMPOSSIBLE)) == ["dog"]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"prefix": "a man"}, "'man'"), ({"required_words": "woman"}, "'woman'")],
)
def test_a_word_that_is_replaced_cannot_be_asked_for(options, message):
    with pytest.raises(ConfigError, match=f"neutral does not write the word {message}"):
        Controls.resolve(DecodingOptions(neutral=True, **options), ENGLISH, 5)


def test_a_vocabulary_of_another_language_is_refused():
    with pytest.raises(ConfigError, match="neutral knows English words"):
        Controls.resolve(DecodingOptions(neutral=True), Vocabulary([*SPECIAL, "男", "人", "一"]), 5)
