"""How far something is: a live line in a terminal, a line every half a minute in a log."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import rich
import rich.progress

LOG_SECONDS = 30


@contextlib.contextmanager
def counted(what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Shows how many of `total` are done and how many a second; gives a function to call with how many more are.

    Args:
        what: is being done.
        total: of them.
        unit: what they are.
    """
    console, started, logged, done = rich.get_console(), time.monotonic(), time.monotonic(), 0
    bar = rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[speed]}"),
        disable=not console.is_terminal,
    )

    def advance(count: int) -> None:
        nonlocal done, logged
        done += count
        speed = f"{done / max(time.monotonic() - started, 1e-6):.1f} {unit}/s"
        bar.update(task, completed=done, speed=speed)
        if not console.is_terminal and (time.monotonic() - logged > LOG_SECONDS or done == total):
            logged = time.monotonic()
            print(f"{what} {done}/{total}  {speed}", flush=True)

    with bar:
        task = bar.add_task(what, total=total, speed="")
        yield advance


class Progress:
    """Shows epoch, losses, captions a second and the time left of a stage.

    Args:
        epochs: of the stage.
        steps: of an epoch.
    """

    def __init__(self, epochs: int, steps: int):
        self.epochs, self.steps, self.epoch = epochs, steps, 0
        self.live = rich.get_console().is_terminal
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("epoch {task.fields[epoch]}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TextColumn("{task.fields[figures]}"),
            disable=not self.live,
        )
        self._task = self._bar.add_task("", total=steps, epoch="", figures="")
        self._started, self._done, self._logged = time.monotonic(), 0, 0.0

    def __enter__(self) -> Progress:
        self._bar.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._bar.__exit__(*error)

    def say(self, text: str) -> None:
        """A line above the bar."""
        if text:
            rich.print(text)

    def begin_epoch(self, epoch: int, done: int) -> None:
        """Epoch `epoch`, from 0, of which `done` steps are done already."""
        self.epoch, self._step = epoch, done
        self._bar.update(self._task, completed=done, epoch=f"{epoch + 1}/{self.epochs}", figures="")

    def advance(self, losses: dict[str, float], captions: int, seconds: float) -> None:
        """A step is done.

        Args:
            losses: means over the epoch so far.
            captions: of the epoch so far.
            seconds: they took.
        """
        self._step, self._done = self._step + 1, self._done + 1
        left = (self.epochs - self.epoch) * self.steps - self._step
        remaining = left * (time.monotonic() - self._started) / self._done
        figures = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
        figures = f"{figures}  {captions / seconds:.0f} captions/s  {_duration(remaining)} left"
        self._bar.update(self._task, completed=self._step, figures=figures)
        if not self.live and (time.monotonic() - self._logged > LOG_SECONDS or self._step == self.steps):
            self._logged = time.monotonic()
            print(f"epoch {self.epoch + 1}/{self.epochs}  step {self._step}/{self.steps}  {figures}", flush=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
