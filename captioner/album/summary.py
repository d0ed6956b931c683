"""What a run came to, in one line."""

from __future__ import annotations

import collections
import dataclasses
import time


@dataclasses.dataclass
class Summary:
    """Photos counted.

    Attributes:
        captioned: have a caption, and it was written wherever it was to be.
        unsure: of these, how many the model is not sure of.
        held_back: too unsure to be written.
        kept: had captions of others, which stay.
        unchanged: were done in an earlier run.
        failed: have none, or it could not be written.
        skipped: files and folders that were passed over, by reason.
        stopped: why the run ended before all was done; empty where it did not.
        interrupted: whether Ctrl-C ended it.
    """

    captioned: int = 0
    unsure: int = 0
    held_back: int = 0
    kept: int = 0
    unchanged: int = 0
    failed: int = 0
    skipped: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    stopped: str = ""
    interrupted: bool = False
    started: float = dataclasses.field(default_factory=time.monotonic)

    def __str__(self) -> str:
        rate = self.captioned / max(time.monotonic() - self.started, 1e-3)
        parts = [f"{self.captioned:,} captioned" + (f", {rate:.1f} a second" if self.captioned else "")]
        if self.unsure:
            parts.append(f"{self.unsure:,} of them not sure")
        named = {
            "too unsure to be written": self.held_back,
            "had a caption": self.kept,
            "done before": self.unchanged,
        }
        parts += [f"{count:,} {name}" for name, count in named.items() if count]
        if self.skipped:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(self.skipped.items()))
            parts.append(f"{sum(self.skipped.values()):,} skipped ({reasons})")
        parts.append(f"{self.failed:,} failed")
        return "; ".join([*parts, *([self.stopped] if self.stopped else [])])
