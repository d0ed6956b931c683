"""Where a model lies: a folder, one that is installed, one on a hub. Knows no Keras."""

from __future__ import annotations

import os
import pathlib

from captioner.errors import ModelError
from captioner.folders import hub

_PACKAGE = pathlib.Path(__file__).resolve().parents[1]
# The wheel holds models inside the package, a checkout beside it.
MODELS = _PACKAGE / "models" if (_PACKAGE / "models").is_dir() else _PACKAGE.parent / "models"
RENAMED = {"flickr8k": "photos"}  # a wheel holds no links, and scripts name the older one


def find_model(name: str | os.PathLike) -> pathlib.Path:
    """The folder of a model.

    Args:
        name: a path, the bare name of one that is installed, with "models/" before it or not, or hf://USER/NAME.

    Raises:
        ModelError: there is no such folder, or it cannot be fetched.
        ConfigError: it is on a hub, and the package that reaches one is missing.
    """
    if isinstance(name, str) and name.startswith(hub.SCHEME):
        return hub.fetch(name)
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
