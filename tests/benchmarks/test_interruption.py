"""Twenty kills of one run, half of them while it writes a checkpoint: make bench ARGS="-k interruption"."""

from __future__ import annotations

import random

from tests.integration import kills
from training.shapes import write_shapes

KILLS = 20
SETTINGS = ["stages.0.epochs=4", "stages.0.steps=20"]


def test_twenty_kills(tmp_path):
    data, rng, died = tmp_path / "shapes", random.Random(0), []
    write_shapes(data, {"train": 64, "dev": 8, "test": 8})
    done = kills.train(data, tmp_path / "whole", SETTINGS)
    assert done.returncode == 0, done.stderr
    while len(died) < KILLS:
        kill = kills.train_and_kill(data, tmp_path / "cut", SETTINGS, rng, inside=len(died) % 4 < 3)
        assert kill is not None, f"the run ended after {len(died)} kills"
        died.append(kill)
        print(f"kill {len(died)}: after {kill.checkpoints} checkpoints, inside a write: {kill.inside}", flush=True)
    done = kills.train(data, tmp_path / "cut", SETTINGS)
    assert done.returncode == 0, done.stderr
    name = "stage-0.weights.h5"
    difference = kills.largest_difference(tmp_path / "whole" / name, tmp_path / "cut" / name)
    inside = sum(kill.inside for kill in died)
    print(f"{KILLS} kills, {inside} inside a checkpoint's write; largest difference of a final weight {difference:.2g}")
    assert inside >= KILLS / 2
    assert difference <= 1e-6
