"""Ray with two actors of one core against one captioner with two threads, in turn; the memory of Ray's driver.

$CAPTIONER_PHOTOS names a folder of photos, some thousands of them.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import time

import pytest

from captioner import Captioner
from captioner.bulk import Request, caption_all
from captioner.cluster.engine import ray_of
from captioner.cluster.progress import Progress

COUNT = int(os.environ.get("CAPTIONER_COUNT", "2400"))
ALONE = COUNT // 4  # photos of a turn of the captioner
SHARD = 64


class Watch(Progress):
    """Notes when photos are done and what the driver holds then."""

    def __init__(self):
        super().__init__("test_bulk")
        self.notes: list[tuple[float, int, float]] = []  # seconds, photos, MB

    def advance(self, photos: int, errors: int) -> None:
        super().advance(photos, errors)
        done = (self.notes[-1][1] if self.notes else 0) + photos
        self.notes.append((time.monotonic(), done, resident()))


def resident() -> float:
    """MB of this process in memory."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def alone(captioner: Captioner, photos: list[pathlib.Path]) -> float:
    """Photos a second."""
    began = time.monotonic()
    assert sum(1 for _ in captioner.captions(photos, batch_size=16)) == len(photos)
    return len(photos) / (time.monotonic() - began)


def test_two_actors_against_two_threads(tmp_path):
    folder = os.environ.get("CAPTIONER_PHOTOS")
    if not folder:
        pytest.skip("CAPTIONER_PHOTOS names no folder of photos")
    photos = [pathlib.Path(entry.path) for entry in itertools.islice(os.scandir(folder), COUNT)]
    captioner = Captioner.from_pretrained("models/photos", threads=2)
    before = alone(captioner, photos[:ALONE])
    watch = Watch()
    with ray_of("", cpus=2):
        caption_all(Request([str(photo) for photo in photos], str(tmp_path / "out"), shard=SHARD), watch)
    after = alone(captioner, photos[-ALONE:])
    # Without the start of the actors, which is one for however many photos, and without the last shards.
    (first, n0, _), (last, n1, _) = watch.notes[2], watch.notes[-3]
    rate, mean = (n1 - n0) / (last - first), 2 / (1 / before + 1 / after)
    print(f"\ncaptioner, 2 threads: {before:.2f} and {after:.2f} photos a second; Ray, 2 actors: {rate:.2f}")
    print(f"ratio {rate / mean:.2f}")
    for seconds, done, megabytes in watch.notes:
        print(f"  {done:5} photos, {seconds - watch.notes[0][0]:6.0f} s, driver {megabytes:.0f} MB")
    at = {done: megabytes for _, done, megabytes in watch.notes}
    early = next(megabytes for done, megabytes in at.items() if done >= COUNT * 0.4)
    assert max(at.values()) < early * 1.05
    assert rate > 0.95 * mean
