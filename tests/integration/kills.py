"""Training in a process of its own that is killed again and again; used by test_interruption.py and the benchmarks."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = [
    "model.encoder.image_size=64",
    'model.encoder.layers=["conv_pw_4_relu"]',
    "model.attention.units=256",
    "model.decoder.lstm_units=512",
    "model.decoder.embedding_size=256",
    "validation_beam_width=1",
    "checkpoint_steps=1",
    "stages.0.train_encoder_from=null",
    "stages.0.batch_size=8",
    "stages.0.dropout=0.3",
    "stages.0.state_dropout=0.1",
]


@dataclasses.dataclass
class Kill:
    """One kill: how many checkpoints the process had written, and whether it died while it was writing another."""

    checkpoints: int
    inside: bool


def command(data: pathlib.Path, workdir: pathlib.Path, settings: list[str]) -> list[str]:
    config = ROOT / "training" / "configs" / "shapes.toml"
    options = [f"--set={setting}" for setting in [*SETTINGS, *settings]]
    return [
        *(sys.executable, "-m", "training.train", "--config", str(config)),
        *("--data", str(data), "--workdir", str(workdir), *options),
    ]


def train(data: pathlib.Path, workdir: pathlib.Path, settings: list[str]) -> subprocess.CompletedProcess:
    """A run that nobody interrupts."""
    return subprocess.run(command(data, workdir, settings), cwd=ROOT, capture_output=True, text=True, timeout=540)


def train_and_kill(
    data: pathlib.Path, workdir: pathlib.Path, settings: list[str], rng: random.Random, inside: bool
) -> Kill | None:
    """Start a run and kill it, at a moment of its writing a checkpoint or at any; None where it ended first."""
    folder = workdir / "checkpoints" / "stage-0"
    process = subprocess.Popen(
        command(data, workdir, settings), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seen, target, written, writing = set(), rng.randint(1, 3), 0, False
    try:
        while process.poll() is None:
            seen |= {path.name for path in folder.glob("epoch-*.npz")}
            began = any(folder.glob("partial-*"))
            written += writing and not began
            writing = began
            if written >= target and (began or not inside):
                time.sleep(rng.uniform(0, 0.01 if inside else 0.3))
                break
            time.sleep(0.0005)
        if process.poll() is not None:
            return None
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()
    return Kill(written, any(folder.glob("partial-*")))


def largest_difference(first: pathlib.Path, second: pathlib.Path) -> float:
    """Between the weights of two files of the same network."""
    differences = []

    def compare(name, item):
        if isinstance(item, h5py.Dataset):
            differences.append(float(np.abs(item[()] - other[name][()]).max(initial=0)))

    with h5py.File(first) as one, h5py.File(second) as other:
        one.visititems(compare)
    assert differences
    return max(differences)
