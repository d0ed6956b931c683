import numpy as np

from captioner.evidence import Evidence
from captioner.vocabulary import SPECIAL, Vocabulary
from training.evaluation.evidence import learn_map

VOCABULARY = Vocabulary([*SPECIAL, "a", "dog", "dogs", "cat", "bird"])


def test_the_map_finds_which_number_speaks_for_which_word(monkeypatch):
    monkeypatch.setattr("training.evaluation.evidence.PENALTY", 1.0)
    draw = np.random.default_rng(0)
    there = draw.random((400, 2)) < 0.5  # of a dog, of a cat
    vectors = np.concatenate([there, draw.normal(size=(400, 3))], axis=1)
    references = [["a dog" if dog else "a", "a cat" if cat else "a bird"] for dog, cat in there]
    evidence = Evidence(*learn_map(vectors, references, VOCABULARY), np.zeros(len(VOCABULARY)))
    shares = {word: [] for word in VOCABULARY.words}
    for vector in ([1, 0, 0, 0, 0], [0, 1, 0, 0, 0]):
        known = evidence.read_pooled(np.array(vector))
        for word, (share, *_) in zip(VOCABULARY.words, known, strict=True):
            shares[word].append(float(share))
    for word, expected in {"dog": [1, 0], "dogs": [1, 0], "cat": [0, 1], "bird": [1, 0], "a": [0, 0]}.items():
        np.testing.assert_allclose(shares[word], expected, atol=0.06)
