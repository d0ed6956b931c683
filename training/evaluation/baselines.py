"""Captions that need no model, beside which a model's figures mean something."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from captioner.captioner import Captioner
from captioner.vocabulary import join_words, split_words
from training.data.datasets import Example
from training.evaluation.pooling import pooled_vectors

ROTATIONS = 5


def human(references: Sequence[Sequence[str]], evaluate: Callable[..., dict]) -> dict | None:
    """The references of a picture held against each other: one is the caption, the others are its references.

    Each of the first five has its turn, and the figures are means over the turns. A caption has one reference less
    than a model's caption, which lowers all of them a little.

    Args:
        references: captions of each picture, as text.
        evaluate: predictions, references -> figures.

    Returns:
        None where no two pictures have two captions or more; the others are left aside.
    """
    references = [texts for texts in references if len(texts) > 1]
    if len(references) < 2:
        return None
    turns = []
    for turn in range(min(ROTATIONS, max(map(len, references)))):
        places = [turn % len(texts) for texts in references]
        predictions = [texts[place] for texts, place in zip(references, places, strict=True)]
        others = [[*texts[:place], *texts[place + 1 :]] for texts, place in zip(references, places, strict=True)]
        turns.append(evaluate(predictions, others))
    names = [name for name, value in turns[0].items() if isinstance(value, (int, float))]
    return {name: float(np.mean([turn[name] for turn in turns])) for name in names}


def commonest_caption(examples: Sequence[Example]) -> str | None:
    """The caption that occurs most often in training, of those that occur equally often the shortest; None of none."""
    counts = collections.Counter(tuple(split_words(text)) for example in examples for text in example.captions)
    if not counts:
        return None
    words, _ = min(counts.items(), key=lambda item: (-item[1], len(item[0]), item[0]))
    return join_words(words)


def nearest_captions(
    captioner: Captioner, examples: Sequence[Example], train: Sequence[Example], cache: pathlib.Path
) -> list[str]:
    """For each picture the first caption of the training picture that the encoder finds most alike.

    Alike is the cosine of the mean annotation vectors.

    Args:
        captioner: whose encoder compares.
        examples: pictures to caption.
        train: training pictures.
        cache: folder that keeps the vectors, so that they are computed once for an encoder.
    """
    train = [example for example in train if example.captions]
    # The first half of a pooled vector is its mean.
    vectors = [np.split(pooled_vectors(captioner, chosen, cache), 2, axis=1)[0] for chosen in (examples, train)]
    vectors = [each.astype(np.float32) for each in vectors]
    mine, theirs = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors)
    nearest = np.concatenate([(mine[i : i + 256] @ theirs.T).argmax(1) for i in range(0, len(mine), 256)])
    return [train[i].captions[0] for i in nearest]
