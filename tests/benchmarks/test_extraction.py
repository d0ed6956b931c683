"""Features of many pictures, speed beside the bare encoder and memory: make bench ARGS="-k extraction"."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from training.data.features import extract, load_squares
from training.shapes import write_shapes

PICTURES, BATCH = 768, 32  # enough for the seconds that compiling takes to count for little
FEW, MANY = 8_000, 64_000
KILOBYTE = 1024


def test_speed(captioner, tmp_path):
    """The shipped model's encoder over CAPTIONER_DATA/images or generated scenes, against the same batches prepared."""
    data = os.environ.get("CAPTIONER_DATA")
    photos = sorted(pathlib.Path(data).rglob("*.jpg"))[:PICTURES] if data else []
    if not photos:
        write_shapes(tmp_path / "shapes", {"train": PICTURES, "dev": 1, "test": 1})
        photos = sorted((tmp_path / "shapes").rglob("*.png"))[:PICTURES]
    encoder = captioner.model.encoder
    squares = load_squares(photos, encoder.config)
    batches = [squares[i : i + BATCH] for i in range(0, PICTURES, BATCH)]
    extract(encoder, photos[:BATCH], tmp_path / "warm")
    captioner.runtime.encode(batches[0])
    start = time.perf_counter()
    for batch in batches:
        captioner.runtime.encode(batch)
    bare = PICTURES / (time.perf_counter() - start)
    start = time.perf_counter()
    extract(encoder, photos, tmp_path / "features")
    whole = PICTURES / (time.perf_counter() - start)
    print(f"\nextraction {whole:.1f} pictures a second, the bare encoder {bare:.1f}: {100 * whole / bare:.0f} %")


def peak_anonymous(command: list[str], root: pathlib.Path) -> float:
    """Gigabytes of anonymous memory that a process has at most, looked at five times a second."""
    process, peak = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL), 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), 0)
        except (OSError, TypeError):
            pass  # it has just ended
        time.sleep(0.2)
    assert process.returncode == 0
    return peak * KILOBYTE / 1e9


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_stays_flat(root, tmp_path):
    """Features of MobileNetV2 at 96 px of 8,000 and of 64,000 generated pictures, then an epoch on each."""
    settings = [
        "model.encoder.architecture=MobileNetV2",
        'model.encoder.layers=["out_relu"]',
        "model.encoder.image_size=96",
        "model.encoder.options={}",
        "stages.0.epochs=1",
        "stages.0.batch_size=80",
        "stages.0.train_encoder_from=null",
        "validation_beam_width=1",
        "validation_pictures=100",
    ]
    peaks = {}
    for count in (FEW, MANY):
        data = tmp_path / f"data-{count}"
        write_shapes(data, {"train": count, "dev": 100, "test": 1})
        command = [sys.executable, "-m", "training.train", "--config", "training/configs/shapes.toml"]
        command += ["--data", str(data), "--workdir", str(tmp_path / f"run-{count}")]
        command += [f"--set={setting}" for setting in settings]
        peaks[count] = peak_anonymous(command, root)
        print(f"\n{count} pictures: peak anonymous memory {peaks[count]:.3f} GB", flush=True)
    few, many = peaks.values()
    print(f"{100 * (many / few - 1):+.1f} % for eight times the pictures")
    assert np.isclose(few, many, rtol=0.1)
    assert many < 4
