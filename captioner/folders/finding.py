"""Where a model lies: a folder, a bare name of one that is installed. Knows no Keras."""

from __future__ import annotations

import os
import pathlib

from captioner.errors import ModelError

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
# The wheel holds models inside the package, a checkout beside it.
MODELS = next((folder for folder in (_PACKAGE / "models",) if folder.is_dir()), _PACKAGE.parent / "models")
RENAMED = {"flickr8k": "photos"}  # a wheel holds no links, and scripts name the older one


def find_model(name: str | os.PathLike) -> pathlib.Path:
    """The folder of a model.

    Args:
        name: a path, or the bare name of one that is installed, with "models/" before it or not.

    Raises:
        ModelError: there is no such folder.
    """
    folder = pathlib.Path(name)
    if folder.is_dir():
        return folder
    parts = folder.parts[1:] if folder.parts[:1] == ("models",) else folder.parts
    if len(parts) == 1 and parts[0] != "..":
        for known in (parts[0], RENAMED.get(parts[0], parts[0])):
            if (MODELS / known).is_dir():
                return MODELS / known
    have = ", ".join(path.name for path in installed_models())
    raise ModelError(f"{name} is no model folder; give the path of one" + (f" or one of {have}" if have else ""))


def installed_models() -> list[pathlib.Path]:
    """Folders of the models that are installed, by name; links are their targets' older names and left out."""
    return sorted(path.parent for path in MODELS.glob("*/manifest.json") if not path.parent.is_symlink())
