"""Annotation vectors of a data set on disk, so that a frozen encoder runs once and not once an epoch.

One folder a data set and encoder, named by a hash of everything the numbers depend on: float16 shards that are
memory-mapped, each written whole or not at all, so that a cut extraction goes on where it stopped.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import pathlib
from collections.abc import Iterator, Sequence

import keras
import numpy as np

from captioner.config import EncoderConfig
from captioner.errors import DatasetError, ImageError
from captioner.network.compiling import whole_steps
from captioner.network.encoder import Encoder
from captioner.pictures.geometry import network_square
from captioner.pictures.reading import open_image
from training.hosts.group import ALONE, Hosts
from training.progress import counted
from training.workdir import need_space, written

SHARD = 512


def encoder_key(
    config: EncoderConfig, weights: Sequence[np.ndarray], images: Sequence[str | pathlib.Path], mirrored: bool = False
) -> str:
    """Hash of the encoder (architecture, tap, weights, image size, resize) and of the pictures' names and sizes.

    Raises:
        DatasetError: a picture is not there.
    """
    digest = hashlib.sha256(json.dumps(config.model_dump(exclude={"class_maps"}), sort_keys=True).encode())
    for array in weights:
        digest.update(np.ascontiguousarray(array))
    for path in map(pathlib.Path, images):
        digest.update(f"{path.name}\0{_size(path)}\n".encode())
    if mirrored:
        digest.update(b"mirrored")
    return digest.hexdigest()[:16]


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}; run training.prepare to find all of these") from None


def load_squares(paths: Sequence[str | pathlib.Path], config: EncoderConfig, pool=None) -> np.ndarray:
    """The network's squares of pictures: uint8 (len(paths), image_size, image_size, 3).

    Raises:
        DatasetError: a picture cannot be read; run training.prepare to find all of them.
    """

    def load(path):
        return network_square(open_image(path), config.image_size, config.resize)

    try:
        return np.stack(list(pool.map(load, paths) if pool else map(load, paths)))
    except ImageError as error:
        raise DatasetError(str(error)) from None


class Features:
    """Annotation vectors of many pictures, memory-mapped: `features[3]` is float16 (locations, channels)."""

    def __init__(self, shards: Sequence[pathlib.Path]):
        self.folder = shards[0].parent
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


class JoinedFeatures:
    """Annotation vectors with class maps as their last channels; read like `Features`.

    Args:
        appearance: what the CNN makes.
        maps: the class maps, as they are joined to it.
    """

    def __init__(self, appearance: Features, maps: Features):
        self._parts = appearance, maps

    def __len__(self) -> int:
        return len(self._parts[0])

    @property
    def shape(self) -> tuple[int, int]:
        """(locations, channels)"""
        return self._parts[0].shape[0], sum(part.shape[1] for part in self._parts)

    def __getitem__(self, index: int) -> np.ndarray:
        return np.concatenate([part[index] for part in self._parts], axis=-1)

    def take(self, indices: Sequence[int]) -> np.ndarray:
        """float16 (len(indices), locations, channels)"""
        return np.concatenate([part.take(indices) for part in self._parts], axis=-1)


def join_class_maps(
    encoder: Encoder, appearance: Features, folder: pathlib.Path, batch_size: int = 256, hosts: Hosts = ALONE
) -> JoinedFeatures:
    """Annotation vectors with the encoder's class maps, which are computed where they are not on disk.

    Args:
        encoder: its class maps are made of `appearance`.
        appearance: what `extract` returned.
        folder: where the folder of shards lies or is made.
        hosts: that share the work, a shard at a time.
    """
    weights = [keras.ops.convert_to_numpy(variable) for variable in encoder.class_maps.weights]
    digest = hashlib.sha256(appearance.folder.name.encode())
    for array in weights:
        digest.update(np.ascontiguousarray(array))
    target = pathlib.Path(folder) / digest.hexdigest()[:16]
    target.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(appearance), SHARD)
    shards = [target / f"{start:08d}.npy" for start in starts]
    for start, shard in list(zip(starts, shards, strict=True))[hosts.index :: hosts.count]:
        if not shard.exists():
            stop = min(start + SHARD, len(appearance))
            parts = [
                encoder.class_maps.joined(appearance.take(range(i, min(i + batch_size, stop))).astype(np.float32))
                for i in range(start, stop, batch_size)
            ]
            with written(shard) as partial, partial.open("wb") as file:
                np.save(file, np.concatenate([keras.ops.convert_to_numpy(part) for part in parts]).astype(np.float16))
    hosts.wait()
    hosts.see(shards)
    return JoinedFeatures(appearance, Features(shards))


def extract(
    encoder: Encoder,
    images: Sequence[str | pathlib.Path],
    folder: pathlib.Path,
    batch_size: int = 32,
    mirrored: bool = False,
    hosts: Hosts = ALONE,
) -> Features:
    """Annotation vectors of pictures, read from disk where they are there and computed where not; no class maps.

    Args:
        encoder: the frozen encoder.
        images: paths; entry i of the result belongs to images[i].
        folder: where the folder of shards lies or is made.
        batch_size: pictures in one forward pass.
        mirrored: of the pictures as a mirror shows them.
        hosts: that share the work, a shard at a time.

    Raises:
        DatasetError: a picture cannot be read.
        ConfigError: the disk has no room for them.
    """
    weights = [keras.ops.convert_to_numpy(variable) for variable in encoder.cnn.weights]
    key = encoder_key(encoder.config, weights, images, mirrored)
    target = pathlib.Path(folder) / key
    target.mkdir(parents=True, exist_ok=True)
    starts = range(0, len(images), SHARD)
    shards = [target / f"{start:08d}.npy" for start in starts]
    absent = hosts.agree(lambda: [place for place, path in enumerate(shards) if not path.exists()])
    mine = absent[hosts.index :: hosts.count]
    missing = [(shards[place], images[starts[place] : starts[place] + SHARD]) for place in mine]
    if missing:
        numbers = encoder.grid[0] * encoder.grid[1] * encoder.appearance_channels
        need_space(target, 2 * numbers * sum(len(paths) for _, paths in missing), "features")
        _write_shards(encoder, missing, batch_size, mirrored)
    hosts.wait()
    hosts.see(shards)
    return Features(shards)


class _Appearance(keras.Model):
    """An encoder without its class maps."""

    def __init__(self, encoder: Encoder):
        super().__init__(name="appearance")
        self.encoder = encoder
        self.built = True

    def call(self, pixels):
        return self.encoder.appearance(pixels)


def _write_shards(encoder, missing, batch_size, mirrored) -> None:
    model = _Appearance(encoder)
    model.compile(jit_compile=whole_steps())
    with counted("features", sum(len(paths) for _, paths in missing), "pictures") as advance:
        batches = _read_ahead([paths for _, paths in missing], batch_size, encoder.config)
        for shard, paths in missing:
            parts = []
            for _ in range(0, len(paths), batch_size):
                squares, count = next(batches)
                squares = squares[:, :, ::-1] if mirrored else squares
                parts.append(np.asarray(model.predict_on_batch(squares)[:count]).astype(np.float16))
                advance(count)
            with written(shard) as partial, partial.open("wb") as file:
                np.save(file, np.concatenate(parts))


def _read_ahead(
    shards: Sequence[Sequence[str | pathlib.Path]], batch_size: int, config: EncoderConfig
) -> Iterator[tuple[np.ndarray, int]]:
    """(squares, how many of them are pictures), the next read while the network works; all batches have one size."""
    batches = [paths[i : i + batch_size] for paths in shards for i in range(0, len(paths), batch_size)]
    with (
        concurrent.futures.ThreadPoolExecutor(2) as readers,
        concurrent.futures.ThreadPoolExecutor(1) as ahead,
    ):
        following = ahead.submit(load_squares, batches[0], config, readers)
        for place, batch in enumerate(batches):
            squares = following.result()
            if place + 1 < len(batches):
                following = ahead.submit(load_squares, batches[place + 1], config, readers)
            empty = np.zeros((batch_size - len(batch), *squares.shape[1:]), squares.dtype)
            yield np.concatenate([squares, empty]), len(batch)
