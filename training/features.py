"""Annotation vectors of a data set on disk, so that a frozen encoder runs once and not once an epoch.

One folder a data set and encoder, named by a hash of everything the numbers depend on: float16 shards that are
memory-mapped, each written whole or not at all, so that a cut extraction goes on where it stopped.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

import keras
import numpy as np
import rich.progress

import captioner.image as image_io
from captioner.config import EncoderConfig
from captioner.encoder import Encoder
from captioner.errors import DatasetError, ImageError

SHARD = 512


def encoder_key(config: EncoderConfig, weights: Sequence[np.ndarray], images: Sequence[pathlib.Path]) -> str:
    """Hash of the encoder (architecture, tap, weights, image size, resize) and of the pictures' names and sizes."""
    digest = hashlib.sha256(json.dumps(config.model_dump(), sort_keys=True).encode())
    for array in weights:
        digest.update(np.ascontiguousarray(array))
    for path in images:
        digest.update(f"{path.name}\0{path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


def load_squares(paths: Sequence[pathlib.Path], config: EncoderConfig, pool=None) -> np.ndarray:
    """The network's squares of pictures: uint8 (len(paths), image_size, image_size, 3).

    Raises:
        DatasetError: a picture cannot be read; run training.prepare to find all of them.
    """

    def load(path):
        return image_io.network_square(image_io.open_image(path), config.image_size, config.resize)

    try:
        return np.stack(list(pool.map(load, paths) if pool else map(load, paths)))
    except ImageError as error:
        raise DatasetError(str(error)) from None


class Features:
    """Annotation vectors of many pictures, memory-mapped: `features[3]` is float16 (locations, channels)."""

    def __init__(self, shards: Sequence[pathlib.Path]):
        self._shards = [np.load(path, mmap_mode="r") for path in shards]
        self._starts = np.cumsum([0, *(len(shard) for shard in self._shards)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def shape(self) -> tuple[int, int]:
        """(locations, channels)"""
        return self._shards[0].shape[1:]

    def __getitem__(self, index: int) -> np.ndarray:
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._shards[shard][index - self._starts[shard]]

    def take(self, indices: Sequence[int]) -> np.ndarray:
        """float16 (len(indices), locations, channels)"""
        return np.stack([self[int(index)] for index in indices])


def extract(encoder: Encoder, images: Sequence[pathlib.Path], folder: pathlib.Path, batch_size: int = 32) -> Features:
    """Annotation vectors of pictures, read from disk where they are there and computed where not.

    Args:
        encoder: the frozen encoder.
        images: paths; entry i of the result belongs to images[i].
        folder: where the folder of shards lies or is made.
        batch_size: pictures in one forward pass.

    Raises:
        DatasetError: a picture cannot be read.
    """
    key = encoder_key(encoder.config, [variable.numpy() for variable in encoder.weights], images)
    target = pathlib.Path(folder) / key
    target.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(images), SHARD)
    shards = [target / f"{start:08d}.npy" for start in starts]
    missing = [
        (path, images[start : start + SHARD]) for path, start in zip(shards, starts, strict=True) if not path.exists()
    ]
    if missing:
        _write_shards(encoder, missing, batch_size)
    return Features(shards)


def _write_shards(encoder, missing, batch_size) -> None:
    model = keras.Sequential([keras.Input((encoder.config.image_size,) * 2 + (3,), dtype="uint8"), encoder])
    model.compile(jit_compile=False)
    with (
        rich.progress.Progress(
            *rich.progress.Progress.get_default_columns(), rich.progress.MofNCompleteColumn()
        ) as progress,
        concurrent.futures.ThreadPoolExecutor(2) as readers,
        concurrent.futures.ThreadPoolExecutor(1) as ahead,
    ):
        task = progress.add_task("features", total=sum(len(paths) for _, paths in missing))
        for shard, paths in missing:
            batches = [paths[i : i + batch_size] for i in range(0, len(paths), batch_size)]
            following = ahead.submit(load_squares, batches[0], encoder.config, readers)
            parts = []
            for position in range(len(batches)):
                squares = following.result()
                if position + 1 < len(batches):
                    following = ahead.submit(load_squares, batches[position + 1], encoder.config, readers)
                parts.append(np.asarray(model.predict_on_batch(squares)).astype(np.float16))
                progress.advance(task, len(squares))
            _write_whole(shard, np.concatenate(parts))


def _write_whole(path: pathlib.Path, array: np.ndarray) -> None:
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, array)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
