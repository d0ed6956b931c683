"""Which photos are meant: files, folders, patterns and lists, in the order they were given. Knows no Keras."""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import glob
import os
import pathlib
import stat
import sys
from collections.abc import Iterator, Sequence

from captioner.errors import CaptionerError, ConfigError, ImageError
from captioner.pictures.raw import RAW_SUFFIXES

SUFFIXES = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif",
     ".hif"]
)  # fmt: skip
PHOTOS = SUFFIXES | RAW_SUFFIXES
PAGES = frozenset({".html", ".htm", ".xhtml", ".md", ".markdown"})
# Folders that disks, network drives and systems keep for themselves: their thumbnails are no photos of anybody.
MACHINE_FOLDERS = frozenset(
    {"@eadir", "#recycle", "@recycle", "#snapshot", "$recycle.bin", "system volume information", "lost+found",
     "__macosx", "node_modules"}
)  # fmt: skip
LONGEST_LIST = 1_000_000_000  # bytes of a list of names


@dataclasses.dataclass
class Found:
    """What was found.

    Attributes:
        photos: paths in order, as they were given; where nothing can be captioned, the error that says why.
        skipped: how many files and folders were passed over, by reason.
        folders: those that were walked.
    """

    photos: list[str | os.PathLike | CaptionerError] = dataclasses.field(default_factory=list)
    skipped: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    folders: list[pathlib.Path] = dataclasses.field(default_factory=list)


def find_photos(places: Sequence[str | os.PathLike], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Found:
    """The photos of files, folders and patterns.

    A file is taken as it is given, whatever its name. In a folder and the folders within, in the order of their names,
    those files are taken that are named like pictures; hidden ones, links, what machines keep for themselves and raw
    photos that lie beside a picture of the same name are not. A name with `*`, `?` or `[` that no file has is a
    pattern.

    Args:
        places: files, folders and patterns.
        include: patterns; of a folder's files only those are taken that fit one, by name or by path in the folder.
        exclude: patterns; files and folders that fit one are not taken.
    """
    found = Found()
    for place in places:
        for name in _expand(place):
            path = pathlib.Path(name)
            if os.path.isdir(path):
                before = len(found.photos)
                found.photos += _walk(path, include, exclude, found.skipped)
                if len(found.photos) > before:
                    found.folders.append(path)
                else:
                    found.photos.append(ImageError(f"{path}: is a folder without photos; give a picture or its folder"))
            else:
                found.photos.append(name)
    return found


def find_pages(places: Sequence[str | os.PathLike], include: Sequence[str] = (), exclude: Sequence[str] = ()) -> Found:
    """The pages of sites, in HTML and Markdown, as `find_photos` finds photos; a folder may have none."""
    found = Found()
    for place in places:
        path = pathlib.Path(place)
        if path.is_dir():
            found.folders.append(path)
            found.photos += _walk(path, include, exclude, found.skipped, PAGES)
        elif path.suffix.lower() in PAGES and path.is_file():
            found.photos.append(path)
        else:
            what = "is no page" if path.exists() else "does not exist"
            found.photos.append(
                ImageError(f"{path}: {what}; give a folder, or a file named {', '.join(sorted(PAGES))}")
            )
    return found


def read_list(name: str) -> list[str]:
    """Paths of a list: one a line, or each with a null character behind it, as `find -print0` writes them.

    Args:
        name: of the file; "-" is stdin.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(LONGEST_LIST)
        else:
            with open(name, "rb") as file:
                data = file.read(LONGEST_LIST)
    except OSError as error:
        raise ConfigError(f"the list {name} cannot be read: {error.strerror}; give a file of paths, or -") from None
    lines = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [os.fsdecode(line) for line in lines if line.strip()]


def _expand(place: str | os.PathLike) -> list[str | os.PathLike]:
    text = os.fsdecode(place)
    if not glob.has_magic(text) or os.path.lexists(place):
        return [place]
    return sorted(glob.glob(text, recursive=True), key=os.fsencode) or [place]


def _walk(
    top: pathlib.Path,
    include: Sequence[str],
    exclude: Sequence[str],
    skipped: collections.Counter[str],
    suffixes: frozenset[str] = PHOTOS,
) -> Iterator[pathlib.Path | CaptionerError]:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                entries = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            yield ImageError(f"{folder}: cannot be opened: {error.strerror}")
            continue
        inner, pictures = [], {entry.name.rpartition(".")[0] for entry in entries if _suffix(entry) in SUFFIXES}
        for entry in entries:
            path = folder / entry.name
            reason = _reason_to_skip(entry, path.relative_to(top), include, exclude, suffixes)
            if reason:
                skipped[reason] += 1
            elif _suffix(entry) in RAW_SUFFIXES and entry.name.rpartition(".")[0] in pictures:
                skipped["raw beside a picture"] += 1
            elif entry.is_dir(follow_symlinks=False):
                inner.append(path)
            else:
                yield path
        waiting += reversed(inner)


def _suffix(entry: os.DirEntry) -> str:
    return os.path.splitext(entry.name)[1].lower()


def _reason_to_skip(entry: os.DirEntry, path: pathlib.Path, include, exclude, suffixes) -> str:
    """Why an entry of a folder is not taken; empty where it is."""
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return "gone"
    if entry.name.startswith("."):
        return "hidden"
    if stat.S_ISLNK(mode):
        return "links"
    if _fits(path, exclude):
        return "excluded"
    if stat.S_ISDIR(mode):
        return "of machines" if entry.name.lower() in MACHINE_FOLDERS else ""
    if not stat.S_ISREG(mode) or path.suffix.lower() not in suffixes:
        return "no pictures" if suffixes is PHOTOS else "no pages"
    return "excluded" if include and not _fits(path, include) else ""


def _fits(path: pathlib.Path, patterns: Sequence[str]) -> bool:
    names = (path.name, path.as_posix())
    return any(fnmatch.fnmatch(name, pattern.rstrip("/")) for pattern in patterns for name in names)
