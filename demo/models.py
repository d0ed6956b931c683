"""The models that the page offers."""

from __future__ import annotations

import pathlib
import threading
from collections.abc import Callable

from captioner import Captioner, ModelError
from captioner.folders.finding import MODELS

BEST = "best"  # so every run of `training.train` names its model


def title(folder: str, name: str) -> str:
    """The name of a model on the page; the best of a run is told from that of another by the folder of the run."""
    return f"{pathlib.Path(folder).resolve().parent.name}/{name}" if name == BEST else name


class Models:
    """A model that is ready, and every folder of models/, each read when it is first asked for.

    Args:
        captioner: the model that the page starts with.
        folder: where the others lie, one folder each.

    Attributes:
        default: name of the model that the page starts with.
        names: of all models, the default first.
    """

    def __init__(self, captioner: Captioner, folder: pathlib.Path = MODELS):
        self.default = captioner.name or "model"
        self._folder, self._ready, self._reading = folder, {self.default: captioner}, threading.Lock()
        found = sorted(path.parent for path in folder.glob("*/manifest.json"))
        # A model that was renamed keeps its older name as a link in the folder.
        self._present = {path.name: path.resolve().name for path in found if path.is_symlink()}
        found = [path.name for path in found if path.name not in self._present]
        self.names = [self.default, *(name for name in found if name != self.default)]

    def prepare(self, warm_up: Callable[[Captioner], None]) -> None:
        """Compile what the first visitor would wait for; who asks for a model meanwhile waits until it is done."""
        with self._reading:
            warm_up(self._ready[self.default])

    def card(self, name: str) -> str:
        """What the folder of a model says of it; empty where it says nothing, and for what is no name."""
        if not isinstance(name, str):
            return ""
        name = self._present.get(name, name) or self.default
        card = self._folder / name / "README.md"
        return card.read_text(encoding="utf-8") if name in self.names and card.is_file() else ""

    def is_ready(self, name: str) -> bool:
        """Whether a model has been read."""
        return isinstance(name, str) and (self._present.get(name, name) or self.default) in self._ready

    def __getitem__(self, name: str) -> Captioner:
        """The model of a name; the default for an empty one.

        Raises:
            ModelError: there is no such model, or its folder is damaged.
        """
        name = self._present.get(name, name) if isinstance(name, str) else name
        name = name or self.default
        if name not in self.names:
            raise ModelError(f"there is no model {str(name)[:100]!r} here; choose one of {', '.join(self.names)}")
        with self._reading:
            if name not in self._ready:
                self._ready[name] = Captioner.from_pretrained(self._folder / name)
            return self._ready[name]
