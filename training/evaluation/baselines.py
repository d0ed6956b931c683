"""Captions that need no model, beside which a model's figures mean something."""

from __future__ import annotations

import collections
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import rich.progress

from captioner.captioner import Captioner
from captioner.vocabulary import join_words, split_words
from training.data.datasets import Example
from training.data.features import encoder_key, load_squares
from training.workdir import written

ROTATIONS = 5
BATCH = 32


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


def commonest_caption(examples: Sequence[Example]) -> str:
    """The caption that occurs most often in training, of those that occur equally often the shortest."""
    counts = collections.Counter(tuple(split_words(text)) for example in examples for text in example.captions)
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
    vectors = [_mean_vectors(captioner, chosen, cache) for chosen in (examples, train)]
    mine, theirs = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in vectors)
    nearest = np.concatenate([(mine[i : i + 256] @ theirs.T).argmax(1) for i in range(0, len(mine), 256)])
    return [train[i].captions[0] for i in nearest]


def _mean_vectors(captioner: Captioner, examples: Sequence[Example], cache: pathlib.Path) -> np.ndarray:
    """float32 (pictures, channels)"""
    config, paths = captioner.config.encoder, [example.image for example in examples]
    weights = [np.asarray(weight) for weight in captioner.model.encoder.get_weights()]
    path = cache / f"means-{encoder_key(config, weights, paths)}.npy"
    if path.exists():
        return np.load(path)
    starts = range(0, len(paths), BATCH)
    means = [
        captioner.annotations(load_squares(paths[start : start + BATCH], config)).mean(1)
        for start in rich.progress.track(starts, "encoding pictures to compare")
    ]
    cache.mkdir(parents=True, exist_ok=True)
    with written(path) as partial, partial.open("wb") as file:
        np.save(file, np.concatenate(means))
    return np.load(path)
