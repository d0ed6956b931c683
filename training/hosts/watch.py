"""Each process says every second that it lives, and ends when another has not said so for a while."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from training.hosts.guard import GO_ON, INSIDE
from training.hosts.places import Place

BEAT = 1.0  # seconds
LOST = 45.0  # seconds without a beat, after which a process counts as dead; it may just be starved of time
START = 3.0  # seconds by which the first process, where all hear from each other, ends after the others
ALIVE, ENDED, FAILED = "alive", "ended", "failed"


class Watch(threading.Thread):
    """Beats of this process, and an eye on those of the others.

    Args:
        place: of this process.
        names: of all of them, for errors.
        tell: says a word about this process to all others.
        hear: what each has said last, by index.
        end: ends this process at once after a line on stderr; it does not return.
    """

    def __init__(
        self,
        place: Place,
        names: list[str],
        tell: Callable[[str], None],
        hear: Callable[[], dict[int, str]],
        end: Callable[[str], None] | None = None,
    ):
        super().__init__(daemon=True, name="watch over hosts")
        self.place, self.names, self.tell, self.hear, self.end = place, names, tell, hear, end or end_at_once
        self._stopped, self._telling, self._guard = threading.Event(), threading.Lock(), os.environ.get(INSIDE)
        self._last = {index: ("", time.monotonic()) for index in range(place.count)}

    def run(self) -> None:
        beats = 0
        while not self._rest(BEAT):
            beats += 1
            if self._guard and str(os.getppid()) != self._guard:
                self._end(f"the process that watched {self.names[self.place.index]} is gone; {GO_ON}")
            try:
                with self._telling:
                    if not self._stopped.is_set():
                        self.tell(f"{ALIVE} {beats}")
                heard = self.hear()
            except Exception:  # whatever JAX raises where the first host no longer answers
                heard = {}
            if not self._stopped.is_set():
                self.judge(heard, time.monotonic())

    def _rest(self, seconds: float) -> bool:
        """Wait; whether it is time to stop. What this process oversleeps for want of time is held against nobody."""
        began = time.monotonic()
        stopped = self._stopped.wait(seconds)
        self.excuse(max(time.monotonic() - began - seconds, 0.0))
        return stopped

    def excuse(self, seconds: float) -> None:
        """Give every other process so much longer."""
        self._last = {index: (word, when + seconds) for index, (word, when) in self._last.items()}

    def judge(self, heard: dict[int, str], now: float) -> None:
        """End this process where another has failed or is silent.

        Args:
            heard: what each has said last, by index.
            now: seconds of a clock that only rises.
        """
        for index, word in heard.items():
            if word != self._last[index][0]:
                self._last[index] = word, now
            if word == FAILED and index != self.place.index:
                self._end(f"{self.names[index]} has ended with an error, which stands in its own output; {GO_ON}")
        for index, (word, when) in self._last.items():
            if index != self.place.index and word != ENDED and now - when > LOST:
                self._end(f"{self.names[index]} has died or cannot be reached; {GO_ON}")

    def leave(self, word: str) -> None:
        """Say for the last time how this process stands, and watch no longer."""
        with self._telling:
            self._stopped.set()
            self.tell(word)

    def _end(self, line: str) -> None:
        if self.place.index == 0:
            time.sleep(START)
        self.end(line)


def end_at_once(line: str) -> None:
    """For a process whose main thread waits in the network for one that is dead."""
    print(f"error: {line}", file=sys.stderr, flush=True)
    os._exit(2)
