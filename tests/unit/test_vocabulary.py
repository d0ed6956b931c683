"""Words to ids and back."""

from __future__ import annotations

import pytest

from captioner import ModelError
from captioner.vocabulary import END, PAD, SPECIAL, START, UNKNOWN, Vocabulary, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A man's T-shirt .", ["a", "mans", "tshirt"]),
        ("  two\tdogs\n", ["two", "dogs"]),
        ('"Hello," -- he said!', ["hello", "he", "said"]),
        ("Ein Mädchen läuft", ["ein", "mädchen", "läuft"]),
        ("snake_case 4x4", ["snakecase", "4x4"]),
        (" . - ! ", []),
    ],
)
def test_split_words_lowers_and_drops_punctuation(text, words):
    assert split_words(text) == words


def test_count_keeps_common_words_commonest_first():
    vocabulary = Vocabulary.count(["a dog .", "a dog runs", "A cat"], min_count=2)
    assert vocabulary.words == [*SPECIAL, "a", "dog"]
    assert vocabulary.encode(["a", "cat", "dog"]) == [4, UNKNOWN, 5]
    assert vocabulary.decode([5, 4]) == ["dog", "a"]


def test_special_ids_are_their_places():
    assert [SPECIAL[i] for i in (PAD, START, END, UNKNOWN)] == ["<pad>", "<start>", "<end>", "<unk>"]


def test_a_saved_vocabulary_reads_back(tmp_path):
    vocabulary = Vocabulary([*SPECIAL, "ä", "犬"])
    vocabulary.save(tmp_path / "vocabulary.txt")
    assert (tmp_path / "vocabulary.txt").read_bytes().endswith("犬\n".encode())
    assert Vocabulary.load(tmp_path / "vocabulary.txt").words == vocabulary.words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "dog"], "starts with"),
        ([*SPECIAL, "a", "a"], "'a' more than once"),
        ([*SPECIAL, "a", ""], "line 6 is not a single word"),
        ([*SPECIAL, "two words"], "line 5 is not a single word"),
    ],
)
def test_a_wrong_vocabulary_is_refused(words, message):
    with pytest.raises(ModelError, match=message):
        Vocabulary(words)


def test_a_missing_or_binary_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match="cannot read the vocabulary"):
        Vocabulary.load(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot read the vocabulary"):
        Vocabulary.load(tmp_path / "binary.txt")
