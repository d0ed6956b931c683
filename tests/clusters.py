"""Small real clusters of Ray, and photos for them."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import pathlib
from collections.abc import Iterator

import numpy as np
from PIL import ImageEnhance

from training.shapes import draw_scene, sample_scene

STARTS = 4  # Ray gives its helpers 15 seconds to start, too few on a busy machine


def connect(cluster) -> None:
    """Join a cluster, quietly."""
    import ray

    ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)


@contextlib.contextmanager
def started_cluster(cpus: int = 1) -> Iterator:
    """A cluster of one node with so many CPUs; it ends with the block, whatever is connected to it."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    from ray.cluster_utils import Cluster

    own = {"num_cpus": cpus, "object_store_memory": 200_000_000, "include_dashboard": False}
    for left in reversed(range(STARTS)):
        cluster = Cluster()
        try:
            cluster.add_node(**own, include_log_monitor=False)
            break
        except Exception:
            cluster.shutdown()
            if not left:
                raise
    try:
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


def make_photos(folder: pathlib.Path, count: int, bad: int = 0) -> pathlib.Path:
    """So many small JPEGs of drawn scenes, no two alike; as many as are to be bad are cut off."""
    every = count // bad if bad else count + 1
    sources = [draw_scene(sample_scene(np.random.default_rng(seed)), 160) for seed in range(12)]
    for number in range(count):
        picture = sources[number % len(sources)].resize((160 + number % 7, 120))
        picture = ImageEnhance.Brightness(picture.rotate(number % 40)).enhance(0.6 + number % 9 / 10)
        memory = io.BytesIO()
        picture.save(memory, "JPEG")
        data = memory.getvalue()
        (folder / f"{number:03}.jpg").write_bytes(data[: len(data) // 2] if number % every == every - 1 else data)
    return folder
