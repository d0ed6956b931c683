"""Scores of captions against reference captions: BLEU, ROUGE-L, CIDEr-D, and how varied the captions are.

Every score takes tokens; `evaluate_captions` makes them of texts, with one rule for captions and references. On the
same tokens the scores are those of pycocoevalcap, the COCO caption server's code, whose "CIDEr" is CIDEr-D.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from nltk.translate.bleu_score import corpus_bleu

from captioner.errors import DatasetError
from captioner.vocabulary import SPECIAL, split_words

ORDERS = (1, 2, 3, 4)
ROUGE_BETA = 1.2
CIDER_SIGMA = 6.0
CIDER_SCALE = 10.0
HASH_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Tokens = Sequence[str]


def evaluate_captions(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict:
    """All scores of one caption a picture.

    Args:
        predictions: one caption a picture, as text.
        references: the reference captions of the same pictures, as text, in the same order.

    Returns:
        bleu_1 to bleu_4 and rouge_l (0 to 1), cider_d (0 to 10; papers print 100 times it), exact (share of
        captions that are one of their references, word for word), distinct (different captions), mean_length (words a
        caption), words_used (different words), protocol (how it was counted).

    Raises:
        DatasetError: no pictures, a picture without references, or lists of different lengths.
    """
    _check(predictions, references)
    candidates = [_tokens(text) for text in predictions]
    targets = [[_tokens(text) for text in texts] for texts in references]
    return {
        **{f"bleu_{n}": score for n, score in zip(ORDERS, bleu(candidates, targets), strict=True)},
        "rouge_l": rouge_l(candidates, targets),
        "cider_d": cider_d(candidates, targets),
        "exact": float(np.mean([words in alike for words, alike in zip(candidates, targets, strict=True)])),
        "distinct": len(set(map(tuple, candidates))),
        "mean_length": float(np.mean([len(candidate) for candidate in candidates])),
        "words_used": len({word for candidate in candidates for word in candidate}),
        "protocol": _protocol(targets),
    }


def bleu(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> list[float]:
    """Corpus BLEU-1 to BLEU-4 with the closest reference length, not smoothed (Papineni et al. 2002).

    Args:
        candidates: the words of one caption a picture.
        references: the words of the reference captions of each picture.

    Returns:
        Four numbers from 0 to 1. One of them is 0 where no n-gram of its order, or of a lower one, matches.

    Raises:
        DatasetError: as for `evaluate_captions`.
    """
    _check(candidates, references)
    too_short = [sum(len(candidate) < n for candidate in candidates) for n in ORDERS]

    def unsmoothed(precisions, **_):
        # nltk counts one n-gram for a caption that is too short to hold any, and warns where none matches.
        possible = [max(1, p.denominator - extra) for p, extra in zip(precisions, too_short, strict=True)]
        return [(p.numerator or 1e-99) / n for p, n in zip(precisions, possible, strict=True)]

    weights = [(1 / n,) * n for n in ORDERS]
    scores = corpus_bleu(references, candidates, weights, smoothing_function=unsmoothed)
    return [float(score) if score > 1e-12 else 0.0 for score in scores]


def rouge_l(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float:
    """Mean ROUGE-L, the COCO variant: F with beta 1.2 of the best precision and the best recall (Lin 2004, section 3).

    Precision and recall are the longest common subsequence over the words of the caption and of the reference, and
    may come from different references. Arguments and errors are those of `bleu`; the result goes from 0 to 1.
    """
    _check(candidates, references)
    return float(np.mean([_rouge_l(*pair) for pair in zip(candidates, references, strict=True)]))


def cider_d(candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]]) -> float:
    """Mean CIDEr-D over the pictures, document frequencies from these references; see `CiderD`.

    Arguments and errors are those of `bleu`. The result goes from 0 to 10; papers print 100 times it.
    """
    _check(candidates, references)
    return float(CiderD(references).scores(candidates, range(len(references))).mean())


class CiderD:
    """CIDEr-D of many captions against fixed references (Vedantam et al. 2015, equations 1 to 3 and section 7).

    Each n-gram g weighs its count times log(pictures / pictures whose references hold g). A caption's similarity to
    a reference is the cosine of the two vectors, the caption's counts clipped to the reference's, times a Gaussian of
    the difference in length; the mean over references and n = 1..4, times 10, is the score.

    Args:
        references: the words of the reference captions of each picture. They also give the document frequencies,
            so references of a single picture score 0 always, as every n-gram is then in every picture.

    Raises:
        DatasetError: no pictures, or one without references.
    """

    def __init__(self, references: Sequence[Sequence[Tokens]]):
        _check(references, references)
        texts = [text for of_picture in references for text in of_picture]
        self._per_picture = np.array([len(of_picture) for of_picture in references])
        self._words = {word: i for i, word in enumerate(dict.fromkeys(word for text in texts for word in text), 1)}
        pictures = np.repeat(np.arange(len(references)), self._per_picture)
        self._orders = [_References(*self._flat(texts), pictures, n) for n in ORDERS]

    def scores(self, candidates: Sequence[Tokens], indices: Sequence[int]) -> np.ndarray:
        """Score captions, several of one picture if need be.

        Args:
            candidates: the words of each caption.
            indices: for each caption, the place of its picture in the references.

        Returns:
            float64 (len(candidates),), from 0 to 10; an empty caption scores 0.

        Raises:
            DatasetError: an index for each caption is missing, or there is no such picture.
        """
        indices = np.asarray(indices, int)
        count = len(self._per_picture)
        if len(candidates) != len(indices) or not ((indices >= 0) & (indices < count)).all():
            raise DatasetError(
                f"expected an index from 0 to {count - 1} for each of {len(candidates)} captions. "
                f"Received: {len(indices)} indices, the largest {indices.max(initial=0)}"
            )
        words, lengths = self._flat(candidates)
        similarity = sum(order.similarity(words, lengths, indices) for order in self._orders)
        return CIDER_SCALE * similarity / (len(ORDERS) * self._per_picture[indices])

    def _flat(self, texts: Sequence[Tokens]) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of all words of all texts in a row, those of new words made up, and the length of each text."""
        known, new = self._words, {}
        words = [known.get(w) or new.setdefault(w, len(known) + len(new) + 1) for text in texts for w in text]
        return np.array(words, np.uint64), np.array([len(text) for text in texts], int)


class _References:
    """The n-grams of one order in all references, sorted by picture.

    Args:
        words: numbers of all words of all references in a row.
        lengths: words in each reference.
        pictures: the picture each reference belongs to, from 0 without a gap.
        n: the order.
    """

    def __init__(self, words: np.ndarray, lengths: np.ndarray, pictures: np.ndarray, n: int):
        self._n, self._lengths = n, lengths
        self._kinds, texts, grams, counts = _count_ngrams(words, lengths, n)
        self._span = len(self._kinds) + 1  # the last is any n-gram that no reference holds
        keys = pictures[texts] * self._span + grams
        held_by = np.bincount(np.unique(keys) % self._span, minlength=self._span)
        self._rarity = math.log(pictures[-1] + 1) - np.log(np.maximum(1, held_by))
        weights = counts * self._rarity[grams]
        norms = np.sqrt(np.bincount(texts, weights**2, len(lengths)))[texts]
        # What one count of the n-gram in a caption adds to its product with the reference's vector of length 1.
        shares = np.divide(weights * self._rarity[grams], norms, out=np.zeros(len(norms)), where=norms > 0)
        order = np.argsort(keys, kind="stable")
        self._keys, self._texts, self._counts, self._shares = (each[order] for each in (keys, texts, counts, shares))

    def similarity(self, words: np.ndarray, lengths: np.ndarray, pictures: np.ndarray) -> np.ndarray:
        """Of each caption to its picture's references, summed over them: float64 (len(lengths),)."""
        kinds, captions, which, counts = _count_ngrams(words, lengths, self._n)
        first, last = (np.searchsorted(self._kinds, kinds, side) for side in ("left", "right"))
        grams = np.where(last > first, first, self._span - 1)[which]
        norms = np.sqrt(np.bincount(captions, (counts * self._rarity[grams]) ** 2, len(lengths)))
        pairs, entries = self._match(pictures[captions] * self._span + grams)
        apart = lengths[captions[pairs]] - self._lengths[self._texts[entries]]
        products = np.minimum(counts[pairs], self._counts[entries]) * self._shares[entries]
        products *= np.exp(-(apart**2) / (2 * CIDER_SIGMA**2))
        products = np.bincount(captions[pairs], products, len(lengths))
        return np.divide(products, norms, out=np.zeros(len(lengths)), where=norms > 0)

    def _match(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All pairs of equal keys: places in `keys`, places among the references' n-grams."""
        first, last = (np.searchsorted(self._keys, keys, side) for side in ("left", "right"))
        found = last - first
        pairs = np.repeat(np.arange(len(keys)), found)
        return pairs, first[pairs] + np.arange(len(pairs)) - (np.cumsum(found) - found)[pairs]


def _check(candidates: Sequence, references: Sequence[Sequence]) -> None:
    if len(candidates) != len(references):
        raise DatasetError(f"expected one caption a picture. Received: {len(candidates)} for {len(references)}")
    if not references:
        raise DatasetError("there is no caption to score: the list of pictures is empty")
    if not all(len(texts) for texts in references):
        bare = next(i for i, texts in enumerate(references) if not len(texts))
        raise DatasetError(f"picture {bare} has no reference caption; each needs one or more")


def _tokens(text: str) -> list[str]:
    """Words of a text; padding, start and end are no words of a caption. An unknown word stays, as a wrong one."""
    return split_words(" ".join(word for word in text.split() if word not in SPECIAL[:3]))


def _protocol(references: Sequence[Sequence[Tokens]]) -> str:
    return (
        f"{len(references)} pictures, all {sum(map(len, references))} references; captions and references alike: NFKC, "
        "lower case, punctuation dropped and the word around it kept whole, no start, end or padding token; corpus "
        "BLEU, closest reference length, no smoothing; ROUGE-L, beta 1.2; CIDEr-D, n 1 to 4, sigma 6, times 10, "
        "document frequencies from these references"
    )


def _count_ngrams(
    words: np.ndarray, lengths: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The n-grams of texts: different ones as sorted hashes; then for each text and n-gram, the places of both, count.

    A hash is 64 bits of a polynomial in the words' numbers: ten million n-grams share one with odds of 1 to 400,000.
    """
    ends = np.repeat(np.cumsum(lengths), lengths)
    starts = np.flatnonzero(np.arange(len(words)) + n <= ends)
    hashes = np.zeros(len(starts), np.uint64)
    for offset in range(n):
        hashes = hashes * HASH_FACTOR + words[starts + offset]
    kinds, which = np.unique(hashes, return_inverse=True)
    texts = np.repeat(np.arange(len(lengths)), lengths)[starts]
    pairs, counts = np.unique(texts * max(1, len(kinds)) + which, return_counts=True)
    texts, which = np.divmod(pairs, max(1, len(kinds)))
    return kinds, texts, which, counts


def _rouge_l(candidate: Tokens, references: Sequence[Tokens]) -> float:
    common = [_common(candidate, reference) for reference in references]
    if not any(common):
        return 0.0
    precision = max(common) / len(candidate)
    recall = max(n / len(reference) for n, reference in zip(common, references, strict=True) if n)
    return (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)


def _common(first: Tokens, second: Tokens) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for i, other in enumerate(second, 1):
            above = row[i]
            row[i] = diagonal + 1 if word == other else max(above, row[i - 1])
            diagonal = above
    return row[-1]
