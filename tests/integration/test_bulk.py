"""Bulk captioning on a real cluster of two nodes: nothing is lost and nothing doubled, whoever dies."""

from __future__ import annotations

import collections
import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest
from pyarrow import dataset

from captioner import Captioner
from captioner.bulk import Request, caption_all
from tests.clusters import connect, make_photos, started_cluster

pytestmark = pytest.mark.slow
MODEL, OPTIONS = "models/shapes", {"beam_width": 2}
PHOTOS, BAD, SHARD = 300, 10, 10


@pytest.fixture(scope="module")
def photos(tmp_path_factory, root):
    """300 drawn scenes, each changed in its own way, ten of them cut off."""
    return make_photos(tmp_path_factory.mktemp("photos"), PHOTOS, BAD)


@pytest.fixture(scope="module")
def expected(photos, root):
    """What one captioner says of each photo; None for those that cannot be read."""
    paths = sorted(photos.iterdir())
    answers = Captioner.from_pretrained(root / MODEL, threads=1).captions(paths, **OPTIONS)
    return {str(path): getattr(answer, "text", None) for path, answer in zip(paths, answers, strict=True)}


@pytest.fixture
def cluster():
    """A cluster of a head with one CPU; nodes can be added."""
    with started_cluster() as cluster:
        yield cluster


def request(photos, out) -> Request:
    return Request([str(photos)], str(out), MODEL, options=OPTIONS, shard=SHARD)


def written(out) -> dict[str, str | None]:
    """Captions by path; fails where a photo stands there twice."""
    rows = dataset.dataset(out, format="parquet").to_table(columns=["path", "caption", "error"]).to_pylist()
    twice = [path for path, count in collections.Counter(row["path"] for row in rows).items() if count > 1]
    assert not twice
    assert all((row["caption"] is None) == (row["error"] is not None) for row in rows)
    return {row["path"]: row["caption"] for row in rows}


def files(out) -> set[str]:
    return {path.name for path in out.glob("captions-*.parquet")} if out.exists() else set()


def wait_for_files(out, count: int, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while len(files(out)) < count:
        assert time.monotonic() < end, f"{len(files(out))} files after {seconds} s"
        time.sleep(0.05)


def test_a_node_dies_and_every_photo_is_there_once(cluster, photos, expected, tmp_path):
    import ray

    second = cluster.add_node(num_cpus=1, object_store_memory=100_000_000)
    connect(cluster)
    assert ray.cluster_resources()["CPU"] == 2
    killed = threading.Event()

    def kill():
        wait_for_files(tmp_path / "out", 6)
        cluster.remove_node(second, allow_graceful=False)
        killed.set()

    killer = threading.Thread(target=kill)
    killer.start()
    counts = caption_all(request(photos, tmp_path / "out"))
    killer.join()
    assert killed.is_set()
    assert (counts.before, counts.now, counts.errors) == (0, PHOTOS, BAD)
    assert written(tmp_path / "out") == expected


def test_a_killed_job_goes_on_with_what_is_missing(cluster, photos, expected, tmp_path, root):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "captioner.bulk", str(photos), str(out), "--model", MODEL]
    command += ["--beam-width", "2", "--shard", str(SHARD), "--address", cluster.address]
    job = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    wait_for_files(out, 2)
    job.send_signal(signal.SIGTERM)  # told to stop, it stops, and says what to do
    assert job.communicate(timeout=60)[1].endswith("captioner.bulk: stopped; the same command goes on\n")
    assert job.returncode == 130
    stopped = len(files(out))
    assert stopped < PHOTOS // SHARD
    job = subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_files(out, stopped + 3)
    finally:
        os.kill(job.pid, signal.SIGKILL)
        job.communicate()
    before = written(out)
    assert 0 < len(before) < PHOTOS
    kept = {name: (out / name).stat().st_mtime_ns for name in files(out)}
    again = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600)
    assert again.returncode == 1, again.stderr  # some could not be read
    missing, done = map(int, re.search(r"(\d+) photos to caption; (\d+) are captioned already", again.stderr).groups())
    # What a worker had in hand when the job was killed may have been written after the files were counted.
    assert missing + done == PHOTOS and len(kept) * SHARD <= done <= (len(kept) + 2) * SHARD
    assert f"{missing:,} of {missing:,} photos done" in again.stderr
    assert written(out) == expected
    assert {name: (out / name).stat().st_mtime_ns for name in kept} == kept
    third = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=600)
    assert third.returncode == 0
    assert third.stderr == f"captioner.bulk: 0 photos to caption; {PHOTOS:,} are captioned already\n"
