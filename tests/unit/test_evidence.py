import numpy as np
import pytest

from captioner.errors import ModelError
from captioner.evidence import Evidence, pooled, ranked
from captioner.folders.folder import EVIDENCE
from captioner.folders.weights import write_weights
from captioner.vocabulary import SPECIAL, Vocabulary

VOCABULARY = Vocabulary([*SPECIAL, "a", "dog", "cat"])
# One direction, the maximum of channel 1; of the first six words "dog" wants it, "a" does not.
NUMBERS = {
    "directions": np.array([[0], [0], [0], [1]], "float32"),
    "words": np.array([[0, 0, 0, 0, -1, 0.5]], "float32"),
    "bias": np.array([0, 0, 0, 0, 0.25, 0.25], "float32"),
    "usual": np.array([0, 0, 0, 0, 0.25, 0.25], "float32"),
    "record": np.array([0, 0, 0, 0, 0, 1, -1], "float32"),
}


def test_pooled_are_means_and_then_maxima():
    np.testing.assert_array_equal(pooled([[[1, 5], [3, -1]]]), [[2, 2, 3, 5]])


def test_what_a_picture_says_by_hand():
    known = Evidence(**NUMBERS).read(np.array([[9, 0.5], [7, 1.0]]))
    for_a, for_dog = 0.2 * np.log(0.01 / 0.25), 0.75 + 0.2 * np.log(0.75 / 0.25)
    # Below nought is nought, and "cat" is not known.
    np.testing.assert_allclose(known[4:], [[0, 0, for_a], [0.75, 1, for_dog], [0, -1, 0]], rtol=1e-6)
    assert Evidence(**NUMBERS).read(np.array([[0, 9.0]]))[5, 0] == 1


def test_captions_are_ranked_by_both():
    known = np.array([[0, 0, 0], [0, 0, 1], [0, 0, 3]], "float32")
    found = {
        "words": np.array([[[1, 1, 0], [1, 2, 0], [2, 2, 2], [2, 2, 2]]]),
        "length": np.array([[2, 2, 1, 0]]),
        "rank": np.array([[-1.0, -2.0, -1001.0, -1e9]]),
    }
    assert ranked(found, 0, None, 1.0).tolist() == ranked(found, 0, known, 0.0).tolist() == [0, 1, 2, 3]
    assert ranked(found, 0, known, 0.4).tolist() == [0, 1, 2, 3]  # -1 + 0.8 against -2 + 1.6
    assert ranked(found, 0, known, 0.6).tolist() == [1, 0, 2, 3]  # a forced end stays behind, and no caption last


def test_it_comes_back_from_a_folder(tmp_path):
    assert Evidence.load(tmp_path, VOCABULARY) is None
    Evidence(**NUMBERS).save(tmp_path)
    again = Evidence.load(tmp_path, VOCABULARY)
    for name, values in NUMBERS.items():
        np.testing.assert_array_equal(getattr(again, name), values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": np.zeros((1, 5))}, "does not fit .*vocabulary.txt"),
        ({"record": np.zeros(9)}, "it is of 9 words and not of 7"),
        ({"record": np.zeros((7, 1))}, "holds no evidence of words"),
        ({"more": np.zeros(2)}, "holds no evidence of words"),
    ],
)
def test_a_file_of_another_shape_is_refused(tmp_path, change, message):
    write_weights(tmp_path / EVIDENCE, {**NUMBERS, **change})
    with pytest.raises(ModelError, match=message):
        Evidence.load(tmp_path, VOCABULARY)


def test_annotation_vectors_of_another_encoder_are_told():
    with pytest.raises(ModelError, match="is of another encoder: it reads 4 numbers of a picture, which has 6"):
        Evidence(**NUMBERS).read(np.zeros((2, 3)))
