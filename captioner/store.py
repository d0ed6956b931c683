"""Model folders of kind "keras": text and weights, never pickles; our own code builds the network.

models/<name>/  config.json  model.weights.h5  vocabulary.txt  metrics.json  README.md  manifest.json
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

import h5py
import keras
import numpy as np

from captioner.config import ModelConfig
from captioner.encoder import Encoder
from captioner.errors import ModelError
from captioner.folder import find_model, read_common, verify, write_common, written_whole
from captioner.model import CaptionModel
from captioner.vocabulary import Vocabulary
from captioner.weights import load_weights, without_numbers


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
        ModelError: the weights are not those of the configuration.
    """
    with without_numbers():
        encoder = Encoder(config.encoder, name="encoder")
    model = CaptionModel(config, len(vocabulary), encoder)
    try:
        load_weights(model, folder / "model.weights.h5")
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"{folder / 'model.weights.h5'} does not fit {folder / 'config.json'}: {reason}") from None
    return model
