"""Model folders, whatever runs them: written whole, verified. Knows no Keras.

A folder may come from a stranger. Its parts are regular files of bounded size, never links; they are compared with the
manifest before anything in them is believed, and read as text, JSON and numbers.

config.json  vocabulary.txt  metrics.json  README.md  manifest.json, and the parts of the folder's kind:

- "keras": model.safetensors, and for onnxruntime graphs.json, encoder.onnx, step.onnx, whose numbers lie in it;
- "saved_model": export.json, saved_model.pb, variables/;
- "onnx": export.json, encoder.onnx, step.onnx.

A model that was calibrated may hold evidence.safetensors besides, whatever its kind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import stat
import tempfile
from collections.abc import Iterator
from typing import Annotated, Any

import pydantic

import captioner
from captioner.config import Config, ModelConfig
from captioner.errors import ConfigError, ModelError
from captioner.vocabulary import Vocabulary

FORMAT_VERSION = 2
PARTS = {
    "keras": ("model.safetensors",),
    "saved_model": (
        "export.json",
        "saved_model.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
    ),
    "onnx": ("export.json", "encoder.onnx", "step.onnx"),
}
GRAPHS = ("graphs.json", "encoder.onnx", "step.onnx")  # all or none of them are in a folder of kind "keras"
COMMON = ("config.json", "vocabulary.txt")
EVIDENCE = "evidence.safetensors"  # in a folder that was calibrated with it, see `captioner.evidence`
MAX_TEXT = 16_000_000  # bytes of a text file; the vocabulary of a model is some hundred kilobytes
MAX_WEIGHTS = 4_000_000_000  # bytes of a file of weights


class Manifest(Config):
    """manifest.json: what a folder is, what wrote it, and the sha256 of the parts that belong together."""

    format_version: int
    kind: str = "keras"
    versions: dict[str, str] = pydantic.Field(default_factory=dict)
    sha256: dict[str, str]


@contextlib.contextmanager
def written_whole(folder: str | os.PathLike) -> Iterator[pathlib.Path]:
    """A folder to write into that takes its name only when all is written, so that no reader ever sees half of one.

    Args:
        folder: its name in the end; an older folder there is replaced.
    """
    folder = pathlib.Path(folder)
    old = _kept(folder)
    partial = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        partial.chmod(0o755)
        yield partial
        _flush(partial)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, RuntimeError) as error:  # HDF5 raises the latter for a full disk
        if isinstance(error, RuntimeError) and "write" not in str(error):
            raise
        reason = getattr(error, "strerror", None) or str(error).strip().split("\n")[0]
        raise ModelError(f"{folder} cannot be written: {reason}; nothing was changed") from error
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        if partial:
            shutil.rmtree(partial, ignore_errors=True)


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


def _flush(folder: pathlib.Path) -> None:
    """Have all files on the disk before they take their name: a power cut must not leave a name without its bytes."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


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
    graphs = GRAPHS if kind == "keras" and (folder / GRAPHS[0]).is_file() else ()
    evidence = (EVIDENCE,) if (folder / EVIDENCE).is_file() else ()
    manifest = {
        "format_version": FORMAT_VERSION,
        "kind": kind,
        "versions": {"captioner": captioner.__version__},
        "sha256": {name: _sha256(folder / name) for name in (*COMMON, *PARTS[kind], *graphs, *evidence)},
    }
    write_json(folder / "manifest.json", manifest)


def verify(folder: pathlib.Path) -> str:
    """Check a model folder's parts against its manifest.

    Returns:
        Its kind: "keras", "saved_model" or "onnx".

    Raises:
        ModelError: a part is missing, a link, too long, or differs from what the manifest says.
    """
    manifest = _read_manifest(folder / "manifest.json")
    parts = (*COMMON, *PARTS[manifest.kind], *(GRAPHS if _names_graphs(manifest) else ()), *_evidence(manifest))
    for name in parts:
        check_part(folder, name)
        if _sha256(folder / name) != manifest.sha256.get(name):
            raise ModelError(f"{folder / name} is not the file the manifest names; copy the model folder again")
    for name in manifest.sha256.keys() - set(parts):
        raise ModelError(
            f"{folder / 'manifest.json'} names {name!r}, which is no part of a {manifest.kind} folder of version "
            f"{FORMAT_VERSION}; a newer captioner may have written it"
        )
    return manifest.kind


def fingerprint(folder: pathlib.Path) -> str:
    """What tells the captions of one model from those of another: a hash of config, vocabulary, weights and evidence.

    They stand in the manifest, so that no large file is read. Graphs that are added to a folder, its card and the
    version that wrote it change no caption and stay out.

    Raises:
        ModelError: there is no manifest, or it cannot be read.
    """
    manifest = _read_manifest(folder / "manifest.json")
    parts = [(name, manifest.sha256.get(name)) for name in (*COMMON, *PARTS[manifest.kind], *_evidence(manifest))]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def has_graphs(folder: pathlib.Path) -> bool:
    """Whether a verified folder of kind "keras" holds graphs for onnxruntime."""
    return _names_graphs(_read_manifest(folder / "manifest.json"))


def _names_graphs(manifest: Manifest) -> bool:
    return manifest.kind == "keras" and any(name in manifest.sha256 for name in GRAPHS)


def _evidence(manifest: Manifest) -> tuple[str, ...]:
    return (EVIDENCE,) if EVIDENCE in manifest.sha256 else ()


def _read_manifest(path: pathlib.Path) -> Manifest:
    values = read_json(path)
    if not isinstance(values, dict) or not isinstance(values.get("sha256"), dict):
        raise ModelError(f"{path} is not a manifest of a model folder")
    if values.get("format_version") != FORMAT_VERSION:
        raise ModelError(
            f"{path.parent} has format version {values.get('format_version')}; this library reads version "
            f"{FORMAT_VERSION}{_writer(values)}"
        )
    try:
        manifest = Manifest.parse(values)
    except ConfigError as error:
        raise ModelError(f"{path}: {error}") from None
    if manifest.kind not in PARTS:
        raise ModelError(f"{path}: a folder is of kind {', '.join(PARTS)}. Received: {manifest.kind!r}")
    return manifest


def _writer(manifest: dict[str, Any]) -> str:
    """Which version of this library wrote a folder, as far as it says so, and what helps."""
    versions = manifest.get("versions")
    version = versions.get("captioner") if isinstance(versions, dict) else None
    told = f"; captioner {version} wrote it" if isinstance(version, str) and len(version) < 40 else ""
    return told + ("; convert it with tools/convert_folder.py" if manifest.get("format_version") == 1 else "")


def longest(name: str) -> int:
    """Most bytes that a part of this name may have."""
    return MAX_TEXT if name.endswith((".json", ".txt", ".md")) else MAX_WEIGHTS


def check_part(folder: pathlib.Path, name: str) -> None:
    """See that a part of a folder is a file, in the folder itself, of a length that can be.

    Raises:
        ModelError: it is not.
    """
    path = folder
    for step in pathlib.PurePath(name).parts:
        path = path / step
        try:
            status = path.lstat()
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise ModelError(f"{path} is missing; the model folder is not complete") from None
            raise ModelError(f"{path} cannot be read: {error.strerror}") from None
        if stat.S_ISLNK(status.st_mode):
            raise ModelError(f"{path} is a link; the parts of a model folder are files of its own")
    if not stat.S_ISREG(status.st_mode):
        raise ModelError(f"{path} is not a file; copy the model folder again")
    limit = longest(name)
    if status.st_size > limit:
        raise ModelError(f"{path} has {status.st_size:,} bytes, more than the {limit:,} that such a part may have")


def read_common(folder: pathlib.Path) -> tuple[ModelConfig, Vocabulary, dict[str, Any]]:
    """Configuration, vocabulary and metrics of a verified folder.

    Raises:
        ModelError: one of them cannot be used.
    """
    try:
        config = ModelConfig.parse(read_json(folder / "config.json"))
    except ConfigError as error:
        raise ModelError(f"{folder / 'config.json'}: {error}") from None
    try:
        vocabulary = Vocabulary.load(folder / "vocabulary.txt")
    except ModelError as error:
        raise ModelError(f"{folder / 'vocabulary.txt'}: {error}") from None
    metrics = read_json(folder / "metrics.json") if os.path.lexists(folder / "metrics.json") else {}
    if not isinstance(metrics, dict):
        raise ModelError(f"{folder / 'metrics.json'} holds no metrics but {type(metrics).__name__}")
    return config, vocabulary, metrics


class Export(Config):
    """export.json and graphs.json: what was exported, and the rows and columns of its masks."""

    kind: str
    grid: tuple[Annotated[int, pydantic.Field(ge=1, le=1024)], Annotated[int, pydantic.Field(ge=1, le=1024)]]


def read_grid(folder: pathlib.Path, name: str = "export.json") -> tuple[int, int]:
    """Rows and columns of the masks of an exported model.

    Args:
        name: of the part that says so, graphs.json in a folder of kind "keras".

    Raises:
        ModelError: it does not.
    """
    path = folder / name
    values = read_json(path)
    try:
        return Export.parse(values).grid
    except ConfigError as error:
        raise ModelError(f"{path}: {error}") from None


def read_card(folder: pathlib.Path) -> str:
    """The model card; a sentence that there is none where README.md is missing.

    Raises:
        ModelError: README.md is there and no text.
    """
    if not os.path.lexists(folder / "README.md"):
        return f"# {folder.name}\n\nThis model came without a card.\n"
    return _read_text(folder / "README.md")


def _read_text(path: pathlib.Path) -> str:
    check_part(path.parent, path.name)
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ModelError(f"{path} is not text in UTF-8: {error.reason} at byte {error.start}") from None


def _sha256(path: pathlib.Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from None


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write UTF-8 JSON with a newline at its end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def read_json(path: pathlib.Path) -> Any:
    """Read JSON.

    Raises:
        ModelError: the file is missing, a link, too long or no JSON.
    """
    text = _read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON: {error}") from None
