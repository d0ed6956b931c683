"""How far a job is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time

EVERY = 10.0  # seconds between two lines


class Progress:
    """Photos done, photos a second, and the time left, on stderr.

    Args:
        name: that lines begin with; None shows nothing.
    """

    def __init__(self, name: str | None):
        self._name, self._bar, self._task = name, None, None
        self._total = self._done = self._errors = 0
        self._began = self._told = time.monotonic()

    def start(self, missing: int, before: int) -> None:
        """Say what is to be done."""
        self._total, self._began = missing, time.monotonic()
        self.say(f"{missing:,} photos to caption" + (f"; {before:,} are captioned already" if before else ""))
        if self._name is None or not sys.stderr.isatty() or not missing:
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("captions"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
        self._bar = Bar(*columns, TimeRemainingColumn(elapsed_when_finished=True), console=Console(stderr=True))
        self._task = self._bar.add_task("captions", total=missing, rate="")
        self._bar.start()

    def advance(self, photos: int, errors: int) -> None:
        """So many photos more are done, with so many errors among them."""
        self._done += photos
        self._errors += errors
        now = time.monotonic()
        rate = self._done / max(now - self._began, 1e-9)
        if self._bar:
            self._bar.update(self._task, completed=self._done, rate=f"{rate:.1f} photos/s")
        elif now - self._told > EVERY:
            self._told = now
            left = _duration((self._total - self._done) / rate)
            self.say(f"{self._done:,} of {self._total:,} photos, {rate:.1f} a second, {left} left")

    def end(self) -> None:
        """Take the bar away and say what was done."""
        if self._bar:
            self._bar.stop()
            self._bar = None
        if self._total:
            seconds = max(time.monotonic() - self._began, 1e-9)
            unread = f", {self._errors:,} of them could not be read" if self._errors else ""
            rate = f"{_duration(seconds)}, {self._done / seconds:.1f} photos a second"
            self.say(f"{self._done:,} of {self._total:,} photos done{unread}; {rate}")

    def say(self, line: str) -> None:
        """A line of its own."""
        if self._name is not None:
            print(f"{self._name}: {line}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
