"""All of a stage in one file: whoever reads it back goes on as if nothing had happened.

A checkpoint is an npz archive: one array for each variable (weights, the optimizer's slots, moving averages and step
count, the states of random generators) and `memory.json`, which holds what Python knows: where in the data training
stands, what the callbacks remember, and what the checkpoint belongs to. The order of the data and every random choice
outside the graph depend on (seed, epoch, step) alone, so that place is all of their state.
"""

from __future__ import annotations

import json
import pathlib
import re
import zipfile
from typing import Any

import keras
import numpy as np
import rich

from captioner.errors import ModelError
from training.hosts.group import ALONE, Hosts
from training.workdir import written

FORMAT_VERSION = 1
KEPT = 2
DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


class Checkpoints:
    """The newest checkpoints of one stage of training.

    Args:
        folder: they lie in it.
        identity: what a checkpoint must agree with to be gone on from, JSON-ready.
        settings: what may change between two runs and is said when it has, JSON-ready.
        hosts: that train together: the first one writes, all of them read. How many there are is no part of a run.
    """

    def __init__(self, folder: pathlib.Path, identity: dict[str, Any], settings: dict[str, Any], hosts: Hosts = ALONE):
        self.folder, self.identity, self.settings, self.hosts = pathlib.Path(folder), identity, settings, hosts

    def save(self, trainer: keras.Model, memory: dict[str, Any]) -> pathlib.Path:
        """Write a checkpoint, whole or not at all, and remove all but the newest two.

        Args:
            trainer: a compiled model whose optimizer is built.
            memory: what Python knows, JSON-ready, with "epoch" and "step".

        Raises:
            ModelError: a weight is not finite; nothing was written.
        """
        variables = _variables(trainer)
        values = [keras.ops.convert_to_numpy(variable) for variable in variables]
        for variable, value in zip(variables, values, strict=True):
            if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
                raise ModelError(f"{variable.path} holds values that are not finite; no checkpoint was written")
        head = {
            "format_version": FORMAT_VERSION,
            "identity": self.identity,
            "settings": self.settings,
            "variables": _describe(variables),
            "memory": memory,
        }
        arrays = {f"{number:05d}": value for number, value in enumerate(values)}
        arrays["memory.json"] = np.frombuffer(json.dumps(head).encode(), np.uint8)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"epoch-{memory['epoch']:05d}-step-{memory['step']:07d}.npz"
        with written(path) as partial, partial.open("wb") as file:
            np.savez(file, **arrays)
        for old in self.paths()[:-KEPT]:
            old.unlink()
        return path

    def restore(self, trainer: keras.Model) -> dict[str, Any] | None:
        """Set everything to the newest checkpoint that can be read.

        Returns:
            Its memory; None where there is no checkpoint.

        Raises:
            ModelError: it belongs to another model, other data or another order of them, or the hosts read different
                ones.
        """
        paths = [self.folder / name for name in self.hosts.agree(lambda: [path.name for path in self.paths()])]
        self.hosts.see(paths)
        memory = self._restore(trainer, paths)
        if any(there != memory for there in self.hosts.gather(memory)):
            raise ModelError(f"the hosts read different checkpoints in {self.folder}; remove the newest of them")
        return memory

    def _restore(self, trainer: keras.Model, paths: list[pathlib.Path]) -> dict[str, Any] | None:
        for path in reversed(paths):
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    head = json.loads(archive["memory.json"].tobytes())
                    self._check(path, head, trainer)
                    values = [archive[f"{number:05d}"] for number in range(len(head["variables"]))]
            except DAMAGED as error:
                rich.print(f"{path} cannot be read ({type(error).__name__}); the one before it is tried")
                continue
            with self.hosts.scope():
                for variable, value in zip(_variables(trainer), values, strict=True):
                    variable.assign(value)
            if changed := first_difference(head["settings"], self.settings):
                rich.print(f"a setting has changed since {path.name}: {changed}")
            return head["memory"]
        return None

    def paths(self) -> list[pathlib.Path]:
        """The checkpoints, the newest last."""
        return sorted(self.folder.glob("epoch-*.npz"))

    def _check(self, path: pathlib.Path, head: dict[str, Any], trainer: keras.Model) -> None:
        if head["format_version"] != FORMAT_VERSION:
            raise ModelError(
                f"{path} has format version {head['format_version']}; this version reads {FORMAT_VERSION}: choose "
                "another --workdir"
            )
        difference = first_difference(head["identity"], self.identity)
        if difference:
            raise ModelError(f"{path} is of another run: {difference}; choose another --workdir, or set that back")
        mine = _describe(_variables(trainer))
        for there, here in zip(head["variables"], mine, strict=False):
            if there != here:
                raise ModelError(f"{path} is of another model: it holds {there} where this one has {here}")
        if len(head["variables"]) != len(mine):
            raise ModelError(
                f"{path} is of another model: it holds {len(head['variables'])} variables, this one has {len(mine)}"
            )


def first_difference(there: Any, here: Any, name: str = "") -> str:
    """Names the first value in which two JSON-ready descriptions differ; "" where they agree."""
    if isinstance(there, dict) and isinstance(here, dict):
        for key in sorted({*there, *here}):
            found = first_difference(there.get(key), here.get(key), f"{name}.{key}" if name else key)
            if found:
                return found
        return ""
    return "" if there == here else f"{name} was {json.dumps(there)} there and is {json.dumps(here)} here"


def _variables(trainer: keras.Model) -> list:
    """Everything that training changes, in an order that depends on how the model is built alone."""
    return [*trainer.variables, *trainer.optimizer.variables]


def _describe(variables: list) -> list[list]:
    """Name, shape and type of each, without the counts that Keras adds to the names of a process's later layers."""
    return [
        [re.sub(r"_\d+", "", variable.path), list(variable.shape), keras.backend.standardize_dtype(variable.dtype)]
        for variable in variables
    ]
