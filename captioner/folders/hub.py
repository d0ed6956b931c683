"""Model folders at hf://USER/NAME: fetched into a cache, verified, and uploaded. Knows no Keras.

A repository comes from a stranger. Of its files none but the parts of a model folder are fetched, none longer than
such a part may be, and what came is verified against its manifest before it gets its place in the cache. There it lies
as files of its own, a folder for each commit, since a model folder holds no links and the hub's cache is made of them.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import sys
from collections.abc import Iterator

from captioner.errors import ConfigError, ModelError
from captioner.folders.folder import (
    COMMON,
    EVIDENCE,
    GRAPHS,
    PARTS,
    check_part,
    longest,
    read_card,
    verify,
    written_whole,
)

SCHEME = "hf://"
MANIFEST = "manifest.json"
NAMES = {
    MANIFEST,
    "README.md",
    "metrics.json",
    *COMMON,
    EVIDENCE,
    *GRAPHS,
    *(name for parts in PARTS.values() for name in parts),
}
ADDRESS = re.compile(r"hf://([\w-][\w.-]{0,95})/([\w-][\w.-]{0,95})(?:@([\w.-]{1,100}))?", re.ASCII)
FRONT = "---\nlibrary_name: captioner\npipeline_tag: image-to-text\n---\n\n"


def cache() -> pathlib.Path:
    """Where fetched models lie: beside the hub's own cache, which `HF_HOME` moves."""
    home = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return pathlib.Path(os.environ.get("HF_HOME") or home).expanduser() / "captioner"


def fetched_models() -> dict[str, pathlib.Path]:
    """The models in the cache, by address with the commit."""
    folders = sorted(path.parent for path in cache().glob(f"*--*/*/{MANIFEST}"))
    return {f"{SCHEME}{path.parent.name.replace('--', '/', 1)}@{path.name[:12]}": path for path in folders}


def fetch(address: str) -> pathlib.Path:
    """The folder of a model at hf://USER/NAME, or hf://USER/NAME@REVISION; without a network the last one that came.

    Raises:
        ModelError: it is not there, cannot be reached and never came before, or is no sound model folder.
        ConfigError: the address is none, or the package huggingface_hub is missing.
    """
    user, name, revision = _parse(address)
    hub, repository = _hub(), f"{user}/{name}"
    with _told(address):
        commit = _known_commit(hub, address, repository, revision or "main")
    folder = cache() / f"{user}--{name}" / commit
    if not folder.is_dir():
        _bring(hub, address, repository, commit, folder)
    return folder


def push(folder: pathlib.Path, address: str, private: bool = False) -> str:
    """Upload the parts of a verified model folder and its card, in one commit.

    Args:
        folder: the model.
        address: hf://USER/NAME; the repository is made where there is none.
        private: whether a repository that is made is private.

    Returns:
        Address of the commit.

    Raises:
        ModelError: the folder is damaged, or the hub refuses it.
        ConfigError: the address is none, or the package huggingface_hub is missing.
    """
    user, name, revision = _parse(address)
    verify(folder)
    hub, repository = _hub(), f"{user}/{name}"
    for part in (names := sorted(name for name in NAMES if os.path.lexists(folder / name))):
        check_part(folder, part)
    card = read_card(folder)
    files = {part: str(folder / part) for part in names if part != "README.md"}
    files["README.md"] = (card if card.startswith("---") else FRONT + card).encode()
    with _told(address):
        api = hub.HfApi(endpoint=_endpoint())
        api.create_repo(repository, private=private, exist_ok=True)
        adds = [hub.CommitOperationAdd(path_in_repo=part, path_or_fileobj=file) for part, file in files.items()]
        done = api.create_commit(repository, adds, commit_message=f"Upload {folder.name}", revision=revision)
    return str(done.commit_url)


def _parse(address: str) -> tuple[str, str, str | None]:
    found = ADDRESS.fullmatch(address)
    if not found or ".." in address or "--" in address:
        raise ConfigError(f"a model on the hub is hf://USER/NAME. Received: {address!r}")
    return found[1], found[2], found[3]


def _hub():
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.utils
    except ModuleNotFoundError:
        raise ConfigError("hf:// needs the package huggingface_hub: pip install 'captioner[hub]'") from None
    if not (sys.stderr and sys.stderr.isatty()):
        huggingface_hub.utils.disable_progress_bars()
    return huggingface_hub


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT") or None


def _known_commit(hub, address: str, repository: str, revision: str) -> str:
    """The commit that a revision is now; where the hub cannot be reached, what it was last."""
    notes = cache() / repository.replace("/", "--") / f"{revision}.commit"
    try:
        info = hub.HfApi(endpoint=_endpoint()).model_info(repository, revision=revision, timeout=20)
    except (hub.errors.RepositoryNotFoundError, hub.errors.RevisionNotFoundError):
        raise
    except Exception:  # the transport has many errors of its own
        if not notes.is_file():
            raise
        commit = notes.read_text(encoding="ascii").strip()
    else:
        commit = str(info.sha)
    if not re.fullmatch(r"[0-9a-f]{7,64}", commit):
        raise ModelError(f"{address}: the hub names no commit. Received: {commit[:100]!r}")
    notes.parent.mkdir(parents=True, exist_ok=True)
    notes.write_text(commit, encoding="ascii")
    return commit


def _bring(hub, address: str, repository: str, commit: str, folder: pathlib.Path) -> None:
    """Fetch the parts of a model into their place; what came before an interruption is not fetched again."""
    with _told(address):
        info = hub.HfApi(endpoint=_endpoint()).model_info(repository, revision=commit, files_metadata=True)
    sizes = {file.rfilename: file.size for file in info.siblings or () if file.rfilename in NAMES}
    if MANIFEST not in sizes:
        raise ModelError(f"{address} holds no {MANIFEST}, so it is no model folder of this library")
    for name, size in sizes.items():
        if size is None or size > longest(name):
            raise ModelError(f"{address}: {name} has {size} bytes; {longest(name):,} is the most that it may have")
    with written_whole(folder) as partial:
        for name in sizes:
            with _told(address):
                came = hub.hf_hub_download(
                    repository, name, revision=commit, endpoint=_endpoint(), cache_dir=cache() / "parts"
                )
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            _place(pathlib.Path(came).resolve(), partial / name)
        verify(partial)
    shutil.rmtree(cache() / "parts", ignore_errors=True)


def _place(source: pathlib.Path, target: pathlib.Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a disk without hard links
        shutil.copyfile(source, target)


@contextlib.contextmanager
def _told(address: str) -> Iterator[None]:
    """What the hub's client raises, in a line."""
    try:
        yield
    except (ModelError, ConfigError):
        raise
    except Exception as error:  # its transport has many errors of its own
        kind = type(error).__name__
        if kind in ("RepositoryNotFoundError", "RevisionNotFoundError", "GatedRepoError"):
            reason = "there is no such model, or it is not open to you; HF_TOKEN holds a key"
        else:
            reason = (str(error).strip().split("\n") or [""])[0] or kind
        raise ModelError(f"{address}: {reason}") from None
