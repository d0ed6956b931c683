"""Model folders: JSON, text and weights, never pickles; written whole, verified, read.

models/<name>/  config.json  model.weights.h5  vocabulary.txt  metrics.json  README.md  manifest.json
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from typing import Any

import h5py
import keras
import numpy as np

import captioner
from captioner.config import ModelConfig
from captioner.errors import ConfigError, ModelError
from captioner.model import CaptionModel
from captioner.vocabulary import Vocabulary

FORMAT_VERSION = 1
VERIFIED = ("config.json", "model.weights.h5", "vocabulary.txt")
MODELS = pathlib.Path(__file__).resolve().parent.parent / "models"


def find_model(name: str | os.PathLike) -> pathlib.Path:
    """The folder of a model: a path, or the bare name of one of this checkout's models.

    Raises:
        ModelError: there is no such folder.
    """
    folder = pathlib.Path(name)
    if not folder.is_dir() and len(folder.parts) == 1 and (MODELS / folder).is_dir():
        folder = MODELS / folder
    elif not folder.is_dir() and folder.parts[:1] == ("models",) and (MODELS.parent / folder).is_dir():
        folder = MODELS.parent / folder
    if not folder.is_dir():
        have = ", ".join(sorted(path.name for path in MODELS.glob("*/"))) if MODELS.is_dir() else ""
        raise ModelError(f"{name} is no model folder; give the path of one" + (f" or one of {have}" if have else ""))
    return folder


def save_model(
    folder: str | os.PathLike, model: CaptionModel, vocabulary: Vocabulary, metrics: dict[str, Any], card: str
) -> pathlib.Path:
    """Write a model folder beside its name and rename it, so that no reader ever sees half of one.

    Weights are stored as float16, compressed.

    Args:
        folder: where; an older model there is replaced.
        metrics: what the model reached, JSON-ready.
        card: README.md of the folder.

    Raises:
        ModelError: a weight is not finite.
    """
    folder = pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        partial.chmod(0o755)
        _write_json(partial / "config.json", model.config.model_dump(mode="json"))
        vocabulary.save(partial / "vocabulary.txt")
        save_weights(model, partial / "model.weights.h5")
        _write_json(partial / "metrics.json", metrics)
        (partial / "README.md").write_text(card, encoding="utf-8", newline="\n")
        write_manifest(partial)
        _replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def _replace_folder(new: pathlib.Path, folder: pathlib.Path) -> None:
    old = folder.with_name(f".{folder.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def write_manifest(folder: pathlib.Path) -> None:
    """Write manifest.json: format version, library versions, and the sha256 of the parts that belong together."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "versions": {"captioner": captioner.__version__, "keras": keras.__version__},
        "sha256": {name: _sha256(folder / name) for name in VERIFIED},
    }
    _write_json(folder / "manifest.json", manifest)


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_json(path: pathlib.Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def _read_json(path: pathlib.Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; the model folder is not complete") from None
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None


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
    """Read a model folder: network with its weights, vocabulary, metrics.

    Raises:
        ModelError: a part is missing, damaged, or does not belong to the others.
    """
    folder = find_model(folder)
    verify(folder)
    try:
        config = ModelConfig.parse(_read_json(folder / "config.json"))
    except ConfigError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from None
    vocabulary = Vocabulary.load(folder / "vocabulary.txt")
    model = CaptionModel(config, len(vocabulary))
    try:
        model.load_weights(folder / "model.weights.h5")
    except (OSError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ModelError(f"{folder / 'model.weights.h5'} does not fit {folder / 'config.json'}: {reason}") from None
    metrics = _read_json(folder / "metrics.json") if (folder / "metrics.json").exists() else {}
    return model, vocabulary, metrics


def verify(folder: pathlib.Path) -> None:
    """Check a model folder's parts against its manifest.

    Raises:
        ModelError: a part is missing or differs from what the manifest says.
    """
    manifest = _read_json(folder / "manifest.json")
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
        raise ModelError(f"{folder / 'manifest.json'} is not a manifest of a model folder")
    version = manifest.get("format_version")
    if version != FORMAT_VERSION:
        raise ModelError(f"{folder} has format version {version}; this library reads version {FORMAT_VERSION}")
    for name in VERIFIED:
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path} is missing; the model folder is not complete")
        if _sha256(path) != manifest["sha256"].get(name):
            raise ModelError(f"{path} is not the file the manifest names; copy the model folder again")
