"""METEOR as nltk computes it, where WordNet is installed.

It is not the METEOR of papers on captions, which the Java scorer 1.5 computes with paraphrase tables and other weights
(Denkowski & Lavie 2014): hence its own name, and never beside figures of that scorer.
"""

from __future__ import annotations

from collections.abc import Sequence

import nltk
import numpy as np
from nltk.translate.meteor_score import meteor_score

NAME = "meteor_nltk"
ABSENT = "WordNet is not installed: python -m nltk.downloader wordnet"


def find_wordnet():
    """nltk's WordNet, or None where its data is not installed."""
    try:
        nltk.corpus.wordnet.ensure_loaded()
    except (LookupError, OSError):  # not there, or not all of it
        return None
    return nltk.corpus.wordnet


def meteor(candidates: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]], wordnet) -> float:
    """Mean over pictures of the best METEOR against one of the references, 0 to 1 (Banerjee & Lavie 2005).

    Words match if they are equal, have one stem (Porter) or are synonyms in WordNet; alpha 0.9, beta 3, gamma 0.5.

    Args:
        candidates: the words of one caption a picture.
        references: the words of the reference captions of each picture.
        wordnet: an object with `synsets`, such as `find_wordnet` returns.
    """
    pairs = zip(references, candidates, strict=True)
    return float(
        np.mean([meteor_score(list(map(list, texts)), list(words), wordnet=wordnet) for texts, words in pairs])
    )
