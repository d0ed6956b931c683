"""A model folder as bytes, so that machines which share no disk with this one get it from here."""

from __future__ import annotations

import io
import os
import pathlib
import tarfile
import tempfile

from captioner.errors import ModelError
from captioner.folders.finding import find_model
from captioner.folders.folder import verify, written_whole


def pack(model: str | os.PathLike) -> tuple[str, bytes]:
    """Name of a model, and its folder as a tar file.

    Raises:
        ModelError: there is none, or it is damaged.
    """
    folder = find_model(model).resolve()
    verify(folder)
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.add(path, path.relative_to(folder).as_posix())
    return folder.name, memory.getvalue()


def unpack(name: str, parcel: bytes, version: str) -> pathlib.Path:
    """The folder of a model that `pack` packed, among this user's temporary files; it is written once a machine.

    Args:
        name: of the model.
        parcel: its folder.
        version: what tells it from others of its name.

    Raises:
        ModelError: it cannot be written.
    """
    top = pathlib.Path(tempfile.gettempdir()) / f"captioner-models-{os.getuid() if hasattr(os, 'getuid') else ''}"
    folder = top / version[:16] / name
    try:
        top.mkdir(mode=0o700, exist_ok=True)
        if top.is_symlink() or (hasattr(os, "getuid") and top.stat().st_uid != os.getuid()):
            raise ModelError(f"{top} belongs to somebody else; remove it")
        if not (folder / "manifest.json").is_file():
            folder.parent.mkdir(exist_ok=True)
            with written_whole(folder) as growing, tarfile.open(fileobj=io.BytesIO(parcel)) as archive:
                archive.extractall(growing, filter="data")
    except OSError as error:
        if not (folder / "manifest.json").is_file():  # else a neighbour wrote it meanwhile
            raise ModelError(f"the model cannot be written to {folder}: {error.strerror}") from None
    return folder
