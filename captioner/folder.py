"""Model folders, whatever runs them: found, written whole, verified. Knows no Keras.

config.json  vocabulary.txt  metrics.json  README.md  manifest.json, and the parts of the folder's kind:

- "keras": model.weights.h5;
- "saved_model": export.json, saved_model.pb, variables/;
- "onnx": export.json, encoder.onnx, step.onnx.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import captioner
from captioner.config import ModelConfig
from captioner.errors import ConfigError, ModelError
from captioner.vocabulary import Vocabulary

FORMAT_VERSION = 1
PARTS = {
    "keras": ("model.weights.h5",),
    "saved_model": (
        "export.json",
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ),
    "onnx": ("export.json", "encoder.onnx", "step.onnx"),
}
COMMON = ("config.json", "vocabulary.txt")
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


@contextlib.contextmanager
def written_whole(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A folder to write into that takes its name only when all is written, so that no reader ever sees half of one.

    Args:
        folder: its name in the end; an older folder there is replaced.
    """
    folder = pathlib.Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        partial.chmod(0o755)
        yield partial
        _replace_folder(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _replace_folder(new: pathlib.Path, folder: pathlib.Path) -> None:
    old = _kept(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _kept(folder: pathlib.Path) -> pathlib.Path:
    """Where the older folder stands while a new one takes its name."""
    return folder.with_name(f".{folder.name}-old")


def recover_folder(folder: str | os.PathLike) -> None:
    """Put right what a process that was killed in `written_whole` left behind; no other may be writing there.

    Between the two renames of a replacement the older folder has another name and the new one has not got its own.
    """
    folder = pathlib.Path(folder)
    if not folder.exists() and _kept(folder).exists():
        _kept(folder).rename(folder)
    for partial in folder.parent.glob(f".{folder.name}-*"):
        shutil.rmtree(partial, ignore_errors=True)


def write_common(
    folder: pathlib.Path, kind: str, config: ModelConfig, vocabulary: Vocabulary, metrics: dict[str, Any], card: str
) -> None:
    """Write what all kinds of folders share, once the parts of the kind are there: the manifest names them all."""
    write_json(folder / "config.json", config.model_dump(mode="json"))
    vocabulary.save(folder / "vocabulary.txt")
    write_json(folder / "metrics.json", metrics)
    (folder / "README.md").write_text(card, encoding="utf-8", newline="\n")
    write_manifest(folder, kind)


def write_manifest(folder: pathlib.Path, kind: str = "keras") -> None:
    """Write manifest.json: format version, kind, library versions, sha256 of the parts that belong together."""
    manifest = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "versions": {"captioner": captioner.__version__},
        "sha256": {name: _sha256(folder / name) for name in (*COMMON, *PARTS[kind])},
    }
    write_json(folder / "manifest.json", manifest)


def verify(folder: pathlib.Path) -> str:
    """Check a model folder's parts against its manifest.

    Returns:
        Its kind: "keras", "saved_model" or "onnx".

    Raises:
        ModelError: a part is missing or differs from what the manifest says.
    """
    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict) or not isinstance(manifest.get("sha256"), dict):
        raise ModelError(f"{folder / 'manifest.json'} is not a manifest of a model folder")
    version, kind = manifest.get("format_version"), manifest.get("kind", "keras")
    if version != FORMAT_VERSION:
        raise ModelError(f"{folder} has format version {version}; this library reads version {FORMAT_VERSION}")
    if kind not in PARTS:
        raise ModelError(f"{folder / 'manifest.json'}: a folder is of kind {', '.join(PARTS)}. Received: {kind!r}")
    for name in (*COMMON, *PARTS[kind]):
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{path} is missing; the model folder is not complete")
        if _sha256(path) != manifest["sha256"].get(name):
            raise ModelError(f"{path} is not the file the manifest names; copy the model folder again")
    return kind


def read_common(folder: pathlib.Path) -> tuple[ModelConfig, Vocabulary, dict[str, Any]]:
    """Configuration, vocabulary and metrics of a verified folder.

    Raises:
        ModelError: one of them cannot be used.
    """
    try:
        config = ModelConfig.parse(read_json(folder / "config.json"))
    except ConfigError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from None
    vocabulary = Vocabulary.load(folder / "vocabulary.txt")
    metrics = read_json(folder / "metrics.json") if (folder / "metrics.json").exists() else {}
    return config, vocabulary, metrics


def _sha256(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write UTF-8 JSON with a newline at its end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def read_json(path: pathlib.Path) -> Any:
    """Read JSON.

    Raises:
        ModelError: the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}; the model folder is not complete") from None
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
