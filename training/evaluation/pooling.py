"""Pooled annotation vectors of many pictures, kept on disk: what a whole picture is about, computed once an encoder."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np
import rich.progress

from captioner.captioner import Captioner
from captioner.evidence import pooled
from training.data.datasets import Example
from training.data.features import encoder_key, load_squares
from training.workdir import written

BATCH = 64


def pooled_vectors(captioner: Captioner, examples: Sequence[Example], cache: pathlib.Path) -> np.ndarray:
    """Means and maxima over the grid: float16 (pictures, 2 * channels).

    Args:
        captioner: whose encoder is asked.
        examples: the pictures.
        cache: folder that keeps them.

    Raises:
        DatasetError: a picture cannot be read.
    """
    config, paths = captioner.config.encoder, [example.image for example in examples]
    weights = [np.asarray(weight) for weight in captioner.model.encoder.get_weights()]
    path = cache / f"pooled-{encoder_key(config, weights, paths)}.npy"
    if path.exists():
        return np.load(path)
    starts = range(0, len(paths), BATCH)
    vectors = [
        pooled(captioner.annotations(load_squares(paths[start : start + BATCH], config))).astype(np.float16)
        for start in rich.progress.track(starts, "encoding pictures")
    ]
    cache.mkdir(parents=True, exist_ok=True)
    with written(path) as partial, partial.open("wb") as file:
        np.save(file, np.concatenate(vectors))
    return np.load(path)
