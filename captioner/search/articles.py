"""What cannot follow an article: another one, and a word that asks for the other of "a" and "an".

A network now and then writes "a an airplane". The letters with which a word begins say which article it takes, as far
as letters can; where they don't ("u" as in umbrella and uniform), both are allowed.
"""

from __future__ import annotations

import functools
import re

import numpy as np

from captioner.vocabulary import SPECIAL, Vocabulary

ARTICLES = ("a", "an", "the")
TAKES_AN = re.compile(r"(?!eu|ew|one|once|ouija)[aeio]|hour|honest|honou?r|heir")
TAKES_EITHER = re.compile(r"u|herb|historic|[^a-z]|[a-z]$")  # a single letter is read by its name


@functools.lru_cache(maxsize=8)  # thousands of words are read for it, and every caption asks
def after_articles(vocabulary: Vocabulary) -> dict[int, np.ndarray]:
    """For each article, the words that cannot follow it, all as ids.

    Args:
        vocabulary: of the model. Unless it holds all three articles it is not English, where "a" is another word.
    """
    if not all(article in vocabulary for article in ARTICLES):
        return {}
    articles = dict(zip(ARTICLES, vocabulary.encode(ARTICLES), strict=True))
    rest = [i for i in range(len(SPECIAL), len(vocabulary)) if i not in articles.values()]
    decided = [i for i in rest if not TAKES_EITHER.match(vocabulary.words[i])]
    takes_an = {i for i in decided if TAKES_AN.match(vocabulary.words[i])}
    wrong = {"a": takes_an, "an": set(decided) - takes_an, "the": set()}
    return {own: np.array([*articles.values(), *sorted(wrong[article])]) for article, own in articles.items()}
