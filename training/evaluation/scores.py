"""Everything that is said of a set of captions: scores, variety, and the same for captions that need no model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captioner.vocabulary import split_words
from training.data.datasets import Example
from training.evaluation import baselines, meteor
from training.evaluation.metrics import CiderD, bleu, evaluate_captions
from training.evaluation.wording import wording

LEAST = 10  # pictures that a corpus BLEU is worth printing for


def judge(predictions: Sequence[str], examples: Sequence[Example], train: Sequence[Example]) -> dict:
    """Scores of captions, and how many of them were not seen in training.

    Args:
        predictions: one caption a picture.
        examples: the pictures with their references.
        train: training pictures.

    Returns:
        What `evaluate_captions` and `wording` do; "meteor_nltk", None without WordNet, "meteor_note" then says so;
        "unseen", the share of captions that no training picture has; "by_length".
    """
    references = [example.captions for example in examples]
    seen = {tuple(split_words(text)) for example in train for text in example.captions}
    return {
        **_scores(predictions, references),
        **wording(predictions, references),
        "unseen": float(np.mean([tuple(split_words(text)) not in seen for text in predictions])),
        "by_length": by_length(predictions, references),
    }


def _scores(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict:
    scores = evaluate_captions(predictions, references)
    wordnet = meteor.find_wordnet()
    if wordnet is None:
        return {**scores, meteor.NAME: None, "meteor_note": meteor.ABSENT}
    tokens = [split_words(text) for text in predictions], [[split_words(t) for t in texts] for texts in references]
    return {**scores, meteor.NAME: meteor.meteor(*tokens, wordnet)}


def by_length(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> list[dict]:
    """BLEU-4 of the captions of each length, in words: [{"words", "pictures", "bleu_4"}], the shortest first.

    Lengths with fewer than ten captions join the next one.
    """
    candidates = [split_words(text) for text in predictions]
    targets = [[split_words(text) for text in texts] for texts in references]
    order = np.argsort([len(words) for words in candidates], kind="stable")
    rows, group = [], []
    for place, i in enumerate(order):
        group.append(i)
        last = place + 1 == len(order)
        if last or (len(group) >= LEAST and len(candidates[order[place + 1]]) > len(candidates[i])):
            lengths = [len(candidates[j]) for j in group]
            score = bleu([candidates[j] for j in group], [targets[j] for j in group])[3]
            rows.append({"words": float(np.mean(lengths)), "pictures": len(group), "bleu_4": score})
            group = []
    return rows


def compare(examples: Sequence[Example], train: Sequence[Example], nearest: Sequence[str] | None) -> dict[str, dict]:
    """The same scores for captions that need no model.

    Args:
        examples: the pictures with their references.
        train: training pictures.
        nearest: what `baselines.nearest_captions` gave, or None.

    Returns:
        {"human", "most_frequent", "nearest"}, each where it can be had.
    """
    references = [example.captions for example in examples]
    common = baselines.commonest_caption(train)
    rows = {
        "human": baselines.human(references, _scores),
        "most_frequent": common and {"caption": common, **_scores([common] * len(examples), references)},
        "nearest": None if nearest is None else _scores(nearest, references),
    }
    return {name: row for name, row in rows.items() if row}


def each_score(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> np.ndarray:
    """CIDEr-D of each picture's caption, 0 to 10."""
    cider = CiderD([[split_words(text) for text in texts] for texts in references])
    return cider.scores([split_words(text) for text in predictions], range(len(predictions)))
