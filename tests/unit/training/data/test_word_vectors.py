"""Word vectors in GloVe's text format."""

from __future__ import annotations

import numpy as np
import pytest

from captioner import ConfigError
from captioner.vocabulary import SPECIAL, Vocabulary
from training.data.word_vectors import load_word_vectors

VOCABULARY = Vocabulary([*SPECIAL, "a", "dog", "été"])


def test_vectors_of_known_words(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text("the 1 2 3\ndog 0.5 -1e-2 3\nété 7 8 9\ndog 9 9 9\n. . 1 2 3\n", encoding="utf-8")
    vectors = load_word_vectors(path, VOCABULARY, 3)
    assert set(vectors) == {5, 6}
    np.testing.assert_allclose(vectors[5], [0.5, -0.01, 3])
    assert vectors[5].dtype == np.float32


def test_word2vec_text_has_a_head(tmp_path):
    (tmp_path / "w2v.txt").write_text("2 3\ndog 1 2 3\ncat 4 5 6\n")
    assert set(load_word_vectors(tmp_path / "w2v.txt", VOCABULARY, 3)) == {5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "dog 1 2\n",
            "line 1: expected a word and 3 numbers, as model.decoder.embedding_size says. Received: 2 numbers",
        ),
        ("dog 1 2 x\n", "line 1: holds something that is not a number"),
        ("dog 1 2 nan\n", "line 1: holds something that is not a number"),
        ("the 1 2 3\n", "has a vector for none of the 7 words"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, message):
    (tmp_path / "glove.txt").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_word_vectors(tmp_path / "glove.txt", VOCABULARY, 3)
    with pytest.raises(ConfigError, match="cannot read the word vectors"):
        load_word_vectors(tmp_path / "none.txt", VOCABULARY, 3)
