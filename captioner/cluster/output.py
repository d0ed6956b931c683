"""Captions as a Parquet data set: files that are there whole or not at all, and what they hold already."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow
from pyarrow import dataset, fs
from pyarrow import parquet as pq

from captioner.caption import Caption
from captioner.cluster.listing import MARK
from captioner.cluster.stores import Place
from captioner.errors import CaptionerError, ConfigError, one_line

SCHEMA = pyarrow.schema(
    [
        ("path", pyarrow.string()),
        ("caption", pyarrow.string()),
        ("sentence", pyarrow.string()),
        ("score", pyarrow.float32()),
        ("confidence", pyarrow.float32()),
        ("sure", pyarrow.bool_()),
        ("words", pyarrow.list_(pyarrow.string())),
        ("probabilities", pyarrow.list_(pyarrow.float32())),
        ("width", pyarrow.int32()),
        ("height", pyarrow.int32()),
        ("error", pyarrow.string()),
        ("model", pyarrow.string()),
        ("model_version", pyarrow.string()),
    ]
)
MASKS = pyarrow.field("masks", pyarrow.list_(pyarrow.list_(pyarrow.list_(pyarrow.float16()))))
UNFINISHED = "_unfinished-"  # data sets pass over names that begin so
RENAMING = ("local", "hdfs")  # file systems where a file grows under its name while it is written


class Overtaken(CaptionerError):
    """Another job writes to the same place now."""


class Output:
    """The data set that captions are written to.

    Args:
        name: its folder, a path or an address.
    """

    def __init__(self, name: str):
        self.name, self.place = name, Place.of(name)
        self._files, self._folder = self.place.files, self.place.inner.rstrip("/") or "/"

    def open(self, settings: dict[str, Any]) -> str:
        """Make it ours: from now on no other job writes here. What killed ones left unfinished is removed.

        Args:
            settings: what captions depend on; a data set holds captions of one kind.

        Returns:
            What tells this job from others.

        Raises:
            ConfigError: it holds captions of other settings, or cannot be written.
        """
        job = uuid.uuid4().hex
        try:
            self._files.create_dir(self._folder, recursive=True)
            before = self._mark().get("settings", settings)
            if before != settings:
                changed = ", ".join(key for key in settings if before.get(key) != settings[key])
                raise ConfigError(f"{self.name} holds captions of another {changed}; give another folder")
            self._put(MARK, json.dumps({"settings": settings, "job": job}, indent=1).encode())
            for info in self._files.get_file_info(fs.FileSelector(self._folder)):
                if info.base_name.startswith(UNFINISHED):
                    self._files.delete_file(info.path)
        except (OSError, pyarrow.ArrowException) as error:
            raise ConfigError(f"{self.name} cannot be written: {one_line(str(error))}; give another folder") from None
        return job

    def check(self, job: str) -> None:
        """See that the data set is still ours.

        Raises:
            Overtaken: it is another job's.
        """
        if self._mark().get("job") != job:
            raise Overtaken(f"another job writes to {self.name} now, and this one ends")

    def has(self, name: str) -> bool:
        """Whether a file of the data set is there."""
        return self._files.get_file_info(f"{self._folder}/{name}").type == fs.FileType.File

    def rows(self, name: str) -> tuple[int, int]:
        """Rows of a file, and how many of them are errors."""
        with self._files.open_input_file(f"{self._folder}/{name}") as file:
            errors = pq.read_table(file, columns=["error"]).column(0)
        return len(errors), len(errors) - errors.null_count

    def write(self, name: str, table: pyarrow.Table, job: str) -> None:
        """Write a file of the data set, whole or not at all; one of the same name is replaced.

        Raises:
            Overtaken: the data set is another job's.
        """
        memory = io.BytesIO()
        pq.write_table(table, memory, compression="zstd")
        self.check(job)
        self._put(name, memory.getvalue())

    def done(self) -> np.ndarray:
        """Keys of the photos that it holds, sorted: uint64 (photos,).

        Raises:
            ConfigError: a file of it is damaged.
        """
        keys = []
        try:
            found = dataset.dataset(self._folder, filesystem=self._files, format="parquet", schema=SCHEMA)
            for batch in found.to_batches(columns=["path"], batch_readahead=1, fragment_readahead=1):
                keys.append(np.array([key_of(path) for path in batch.column(0).to_pylist()], np.uint64))
        except (OSError, pyarrow.ArrowException) as error:
            reason = one_line(str(error).split("\n")[0])
            raise ConfigError(f"{self.name} holds a file that cannot be read: {reason}; remove it") from None
        return np.sort(np.concatenate(keys)) if keys else np.zeros(0, np.uint64)

    def _mark(self) -> dict[str, Any]:
        path = f"{self._folder}/{MARK}"
        if self._files.get_file_info(path).type != fs.FileType.File:
            return {}
        try:
            with self._files.open_input_file(path) as file:
                mark = json.loads(file.read())
        except ValueError:
            mark = None
        if not isinstance(mark, dict):
            raise ConfigError(f"{path} is damaged; give another folder, or remove that file")
        return mark

    def _put(self, name: str, data: bytes) -> None:
        path = f"{self._folder}/{name}"
        growing = f"{self._folder}/{UNFINISHED}{uuid.uuid4().hex}" if self._files.type_name in RENAMING else path
        with self._files.open_output_stream(growing) as stream:
            stream.write(data)
        if growing != path:
            if self._files.type_name == "hdfs" and self.has(name):
                self._files.delete_file(path)
            self._files.move(growing, path)


def key_of(path: str) -> int:
    """What stands for a photo's path where millions are remembered: 64 bits of its hash."""
    return int.from_bytes(hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=8).digest(), "little")


def as_table(
    rows: Iterator[tuple[str, Caption | CaptionerError]], model: str, version: str, masks: bool
) -> pyarrow.Table:
    """Captions, and errors, as a table.

    Args:
        rows: names of photos, each with its caption or the error that it gave.
        model, version: what captioned them.
        masks: whether the masks are wanted, (words, rows, columns) as float16.
    """
    schema = SCHEMA.append(MASKS) if masks else SCHEMA
    of_model = {"model": model, "model_version": version}
    made = [{"path": name, **of_model, **_columns(answer, masks)} for name, answer in rows]
    return pyarrow.Table.from_pylist(made, schema)


def _columns(answer: Caption | CaptionerError, masks: bool) -> dict[str, Any]:
    if isinstance(answer, CaptionerError):
        return {"error": str(answer)}
    columns = {
        "caption": answer.text,
        "sentence": answer.sentence,
        "score": answer.score,
        "confidence": answer.confidence,
        "sure": answer.sure,
        "words": [word.text for word in answer.words],
        "probabilities": [word.probability for word in answer.words],
        "width": answer.size[0],
        "height": answer.size[1],
    }
    if masks:
        columns["masks"] = [[list(row) for row in word.mask.astype(np.float16)] for word in answer.words]
    return columns
