"""How long a call takes."""

from __future__ import annotations

import time
from collections.abc import Callable


def run_times(call: Callable[[], object], repeats: int) -> list[float]:
    """Seconds of each of `repeats` calls, after one that warms up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times
