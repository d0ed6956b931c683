"""Which photos are meant: folders, patterns, lists and Parquet tables, on any file system, one after the other.

Nothing here holds all names at once, since there may be millions.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Iterator

import pyarrow
from pyarrow import fs
from pyarrow import parquet as pq

from captioner.album.finding import MACHINE_FOLDERS, SUFFIXES
from captioner.cluster.stores import Place
from captioner.errors import ConfigError, one_line

MARK = "_captioner.json"  # stands in every folder that captions are written to
TABLE = ".parquet"
COLUMNS = ("path", "image_path", "file", "file_name", "filename", "image", "image_bytes", "bytes", "jpg")
MAGIC = re.compile(r"[*?\[]")


@dataclasses.dataclass(frozen=True)
class Photo:
    """Where a photo is.

    Attributes:
        name: as the rows of captions have it.
        column, row: of its bytes, where `name` without its last # is a Parquet table; row is -1 for a file.
    """

    name: str
    column: str = ""
    row: int = -1

    @property
    def place(self) -> Place:
        """Its file, or the table that it stands in."""
        return Place.of(self.name if self.row < 0 else self.name.rpartition("#")[0])


def find_photos(sources: Iterable[str], column: str = "") -> Iterator[Photo]:
    """The photos of folders, patterns, files and Parquet tables, in the order of their names within each.

    A file is taken as it is given; of folders, and the folders within, those files that are named like pictures, and
    the rows of tables. Hidden ones, links, and folders that captions were written to are passed over.

    Args:
        sources: paths and addresses.
        column: of tables: paths, or the bytes of pictures; empty takes the first of `COLUMNS` that is there.

    Raises:
        ConfigError: there is nothing at a source, or a table holds no such column.
    """
    for source in sources:
        place = Place.of(source)
        try:
            yield from _found(place, column)
        except (OSError, pyarrow.ArrowException) as error:
            reason = one_line(str(error).split("\n")[0])
            raise ConfigError(f"{source} cannot be read: {reason}; see that it is there and may be read") from None


def _found(place: Place, column: str) -> Iterator[Photo]:
    kind = place.files.get_file_info(place.inner).type if place.path or not place.is_local else fs.FileType.NotFound
    if kind == fs.FileType.Directory:
        yield from _of_files(_walk(place), column)
    elif kind == fs.FileType.NotFound and MAGIC.search(place.path):
        yield from _of_files(_matching(place), column)
    elif kind == fs.FileType.NotFound:
        raise ConfigError(f"{place.name} does not exist; give photos, a folder, a pattern or a Parquet table")
    else:
        yield from _of_files([place], column)


def _of_files(files: Iterable[Place], column: str) -> Iterator[Photo]:
    for file in files:
        if file.path.lower().endswith(TABLE):
            yield from _of_table(file, column)
        else:
            yield Photo(file.name)


def _walk(top: Place) -> Iterator[Place]:
    """Pictures and tables of a folder and the folders within; a folder at a time is held."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        entries = sorted(folder.files.get_file_info(fs.FileSelector(folder.inner)), key=lambda entry: entry.base_name)
        if any(entry.base_name == MARK for entry in entries):
            continue
        inner, has_links = [], folder.files.type_name == "local"
        for entry in entries:
            place = folder.outer(entry.path)
            if entry.base_name.startswith(".") or (has_links and os.path.islink(entry.path)):
                continue
            if entry.type == fs.FileType.Directory and entry.base_name.lower() not in MACHINE_FOLDERS:
                inner.append(place)
            elif entry.type == fs.FileType.File and _suffix(entry.base_name) in SUFFIXES | {TABLE}:
                yield place
        waiting += reversed(inner)


def _matching(pattern: Place) -> Iterator[Place]:
    """Files that fit a pattern: * and ? stay within a folder, ** crosses any number of them."""
    parts = pattern.path.split("/")
    first = next(at for at, part in enumerate(parts) if MAGIC.search(part))
    top = Place(pattern.root, "/".join(parts[:first]) or ("/" if pattern.path.startswith("/") else ""))
    if top.is_local and not top.path:
        top = Place("", ".")
    fits = re.compile(_expression(pattern.path))
    found = False
    for place in _walk(top):
        path = place.path.removeprefix("./") if top.path == "." else place.path
        if fits.fullmatch(path):
            found = True
            yield Place(place.root, path)
    if not found:
        raise ConfigError(f"{pattern.name}: no picture fits this pattern; ** stands for any folders")


def _expression(pattern: str) -> str:
    """The regular expression of a pattern."""
    made = ""
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\[[^\]]+\]|[^*?\[]+|\[", pattern):
        if part in ("**/", "**"):
            made += "(?:.*/)?" if part == "**/" else ".*"
        elif part in ("*", "?"):
            made += "[^/]*" if part == "*" else "[^/]"
        elif len(part) > 2 and part[0] == "[" and part[-1] == "]":
            made += "[" + part[1:-1].replace("\\", r"\\").replace("[", r"\[").replace("!", "^", part[1] == "!") + "]"
        else:
            made += re.escape(part)
    return made


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _of_table(table: Place, column: str) -> Iterator[Photo]:
    """A photo for every row; relative paths start at the folder of the table."""
    with table.files.open_input_file(table.inner) as file:
        parquet = pq.ParquetFile(file)
        name, of_bytes = _column(table, parquet.schema_arrow, column)
        if of_bytes:
            for row in range(parquet.metadata.num_rows):
                yield Photo(f"{table.name}#{row}", name, row)
            return
        folder = Place(table.root, table.path.rpartition("/")[0])
        for batch in parquet.iter_batches(columns=[name]):
            for path in batch.column(0):
                yield Photo(_joined(folder, path.as_py() or ""))


def _column(table: Place, schema: pyarrow.Schema, wanted: str) -> tuple[str, bool]:
    """Name of the column to read, and whether it holds bytes; pictures of the Hugging Face kind hold them within."""
    for name in [wanted] if wanted else COLUMNS:
        if name not in schema.names:
            continue
        kind = schema.field(name).type
        if pyarrow.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            return f"{name}.bytes", True
        if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
            return name, True
        if pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind):
            return name, False
    raise ConfigError(
        f"{table.name} has no column {wanted or 'of paths or pictures'} of text or bytes; name one with --column. "
        f"Received: {', '.join(schema.names)[:200]}"
    )


def _joined(folder: Place, path: str) -> str:
    if Place.of(path).root or pathlib.PurePosixPath(path).is_absolute() or not path:
        return path
    return (folder / path).name if folder.path or folder.root else path
