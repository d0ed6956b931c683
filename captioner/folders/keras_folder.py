"""Model folders of kind "keras": text and weights, never pickles; our own code builds the network.

models/<name>/  config.json  model.weights.h5  vocabulary.txt  metrics.json  README.md  manifest.json
"""

from __future__ import annotations

import io
import os
import pathlib
from typing import Any

import h5py
import keras
import numpy as np

from captioner import hdf5
from captioner.config import ModelConfig
from captioner.errors import ModelError
from captioner.folders.folder import find_model, read_common, verify, write_common, written_whole
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from captioner.vocabulary import Vocabulary
from captioner.weights import load_weights, without_numbers

MAX_CLAIM = 4_000_000_000  # bytes of all arrays of a file of weights
MAX_RATIO = 64  # of what they claim to the bytes of the file; compressed float16 is near 1.2
SMALL_CLAIM = 64_000_000  # always allowed: arrays of zeros compress to nothing


def save_model(
    folder: str | os.PathLike, model: CaptionModel, vocabulary: Vocabulary, metrics: dict[str, Any], card: str
) -> pathlib.Path:
    """Write a model folder, whole or not at all; weights as float16, compressed.

    Args:
        folder: where; an older model there is replaced.
        metrics: what the model reached, JSON-ready.
        card: README.md of the folder.

    Raises:
        ModelError: a weight is not finite.
    """
    with written_whole(folder) as partial:
        save_weights(model, partial / "model.weights.h5")
        write_common(partial, "keras", model.config, vocabulary, metrics, card)
    return pathlib.Path(folder)


def save_weights(model: CaptionModel, path: pathlib.Path) -> None:
    """Weights in Keras's own layout, with numbers as compressed float16.

    Raises:
        ModelError: a weight is not finite.
    """
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            raise ModelError(f"weight {weight.path} holds values that are not finite; nothing was written")
    full = path.with_name("full.weights.h5")
    model.save_weights(full)
    with h5py.File(full, "r") as source, h5py.File(path, "w", libver="latest") as target:
        source.visititems(lambda name, item: _copy_small(name, item, target))
        for key, value in source.attrs.items():
            target.attrs[key] = value
    full.unlink()


def _copy_small(name: str, item, target: h5py.File) -> None:
    if isinstance(item, h5py.Group):
        copy = target.require_group(name)
    else:
        values = item[()]
        if np.issubdtype(values.dtype, np.floating):
            values = _half(values)
        compression = {"compression": "gzip", "compression_opts": 6, "shuffle": True} if values.size > 4096 else {}
        copy = target.create_dataset(name, data=values, **compression)
    for key, value in item.attrs.items():
        copy.attrs[key] = value


def _half(values: np.ndarray) -> np.ndarray:
    """float16; numbers of matrices keep 8 of its 10 fraction bits, so that a fifth less is left after compression."""
    half = np.clip(values, np.finfo(np.float16).min, np.finfo(np.float16).max).astype(np.float16)
    if half.ndim < 2:
        return half
    bits = half.view(np.uint16)
    rounded = ((bits + 1 + ((bits >> 2) & 1)) & 0xFFFC).astype(np.uint16).view(np.float16)
    return np.where(np.isfinite(rounded), rounded, half)


def load_model(folder: str | os.PathLike) -> tuple[CaptionModel, Vocabulary, dict[str, Any]]:
    """Read a model folder of kind "keras": network with its weights, vocabulary, metrics.

    Raises:
        ModelError: a part is missing, damaged, or does not belong to the others, or the folder was exported.
    """
    folder = find_model(folder)
    kind = verify(folder)
    if kind != "keras":
        raise ModelError(f"{folder} is an exported model of kind {kind}; give the folder it was made from")
    config, vocabulary, metrics = read_common(folder)
    return build_model(folder, config, vocabulary), vocabulary, metrics


def build_model(folder: pathlib.Path, config: ModelConfig, vocabulary: Vocabulary) -> CaptionModel:
    """The network of a verified folder, with its weights.

    Raises:
        ModelError: the weights are not those of the configuration, or hold values that are not finite.
    """
    path = folder / "model.weights.h5"
    arrays = read_arrays(path)
    # Before the network takes memory: a long vocabulary alone could ask for any amount of it.
    words = (len(vocabulary), config.decoder.embedding_size)
    if words not in {array.shape for array in arrays.values()}:
        raise ModelError(
            f"{path} does not fit {folder / 'vocabulary.txt'} and {folder / 'config.json'}: it holds no array of "
            f"{words[0]} words by {words[1]}"
        )
    model = _build_network(folder, config, vocabulary)
    try:
        load_weights(model, _CleanCopy(arrays))
    except Exception as error:  # Keras and h5py raise many types
        raise ModelError(f"{path} does not fit {folder / 'config.json'}: {_reason(error)}") from None
    held = sum(array.dtype.kind == "f" for array in arrays.values())  # whole numbers are states of random generators
    wanted = sum(keras.backend.is_float_dtype(variable.dtype) for variable in model.variables)
    if held != wanted:
        raise ModelError(
            f"{path} does not fit {folder / 'config.json'}: it holds {held} arrays and the network has {wanted}"
        )
    return model


def read_arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Every array of a file of weights by its path, "decoder/vars/0", read without the C library of HDF5.

    Raises:
        ModelError: the file is damaged, made to harm, or holds numbers that are not finite.
    """
    try:
        data = path.read_bytes()
        file = hdf5.File(data)
        claimed = sum(array.nbytes for array in file.arrays.values())
        limit = min(MAX_CLAIM, max(MAX_RATIO * len(data), SMALL_CLAIM))
        if claimed > limit:
            raise hdf5.Unreadable(f"its arrays claim {claimed:,} bytes, more than {limit:,} for a file of its length")
        arrays = {name: file.read(name) for name in file.arrays}
    except hdf5.Unreadable as error:
        raise ModelError(f"{path} is no file of weights that can be read: {error}") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ModelError(f"{path}: '{name}' holds values that are not finite")
    return arrays


class _CleanCopy(io.BytesIO):
    """A file of weights in memory that h5py wrote here, of numbers that came from elsewhere."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        super().__init__()
        with h5py.File(self, "w", libver="latest") as file:
            for name, values in arrays.items():
                file[name] = values

    def __str__(self) -> str:
        return "clean.weights.h5"  # Keras tells a format by the end of a name


def _build_network(folder: pathlib.Path, config: ModelConfig, vocabulary: Vocabulary) -> CaptionModel:
    try:
        with without_numbers():
            encoder = Encoder(config.encoder, name="encoder")
        return CaptionModel(config, len(vocabulary), encoder)
    except Exception as error:  # a configuration can be valid and still describe nothing that Keras can build
        raise ModelError(f"{folder / 'config.json'} describes no network that can be built: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
