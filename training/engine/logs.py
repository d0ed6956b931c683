"""What a run leaves to look at while it trains: a table of its epochs and TensorBoard's event files."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorboardX
from PIL import Image

from captioner.drawing import contact_sheet
from training.workdir import written

EVERY = 10  # steps between two entries of the losses


def write_history(path: pathlib.Path, history: Sequence[dict[str, float]]) -> None:
    """All epochs so far as CSV, one row each."""
    names = list(dict.fromkeys(name for row in history for name in row))
    with written(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, names)
        table.writeheader()
        table.writerows(history)


class StageLogs:
    """Everything a stage leaves to look at: WORKDIR/stage-N.csv and WORKDIR/tensorboard/stage-N.

    Args:
        workdir: of the run.
        number: of the stage.
        learning_rate: the rate of a step, by how many were taken before it.
        validation: whose sample captions are shown.
    """

    def __init__(self, workdir: pathlib.Path, number: int, learning_rate: Callable[[int], float], validation):
        self.table, self.learning_rate, self.validation = workdir / f"stage-{number}.csv", learning_rate, validation
        self.folder = workdir / "tensorboard" / f"stage-{number}"
        self._board: Board | None = None

    def __enter__(self) -> StageLogs:
        return self

    def __exit__(self, *error) -> None:
        if self._board:
            self._board.close()

    def board(self, step: int) -> Board:
        """TensorBoard's files, begun when the place that training goes on from is known."""
        if self._board is None:
            self._board = Board(self.folder, step)
        return self._board

    def step(self, step: int, losses: dict[str, float]) -> None:
        """After step `step` of the stage, counted from 1."""
        if step % EVERY == 0:
            self.board(step).scalars("step", step, {**losses, "learning_rate": self.learning_rate(step)})

    def epoch(self, step: int, history: Sequence[dict[str, float]]) -> None:
        """After an epoch that ended with step `step`."""
        write_history(self.table, history)
        board = self.board(step)
        board.scalars("epoch", step, history[-1])
        for caption in self.validation.samples:
            board.picture(step, caption.source.stem, contact_sheet(caption), caption.text)


class Board:
    """TensorBoard's event files.

    Args:
        folder: where they go.
        step: the first step that is noted; what a run that was cut had noted from there on is no longer shown.
    """

    def __init__(self, folder: pathlib.Path, step: int):
        self._writer = tensorboardX.SummaryWriter(str(folder), purge_step=step)

    def scalars(self, group: str, step: int, figures: dict[str, float]) -> None:
        """Figures of a step."""
        for name, value in figures.items():
            self._writer.add_scalar(f"{group}/{name}", value, step)
        self._writer.flush()

    def picture(self, step: int, name: str, picture: Image.Image, text: str) -> None:
        """A sheet of masks and the caption it belongs to."""
        self._writer.add_image(f"captions/{name}", np.asarray(picture.convert("RGB")), step, dataformats="HWC")
        self._writer.add_text(f"captions/{name}", text, step)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
