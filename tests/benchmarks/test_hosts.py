"""Training by two processes with a core each against one with two, in turn: make bench ARGS="-k test_hosts".

$CAPTIONER_DATA names a prepared data set of photos, some thousands of them.
"""

from __future__ import annotations

import csv
import os
import pathlib
import re
import sys

import pytest

from captioner.vocabulary import split_words
from tests.integration import hosts
from training.data.datasets import Example, read_dataset, write_dataset

PHOTOS, DEV = int(os.environ.get("CAPTIONER_COUNT", "2000")), 8
TURNS = 2
ONE, TWO = (1, 2), (2, 1)  # processes, and cores of each
# The encoder of training/configs/shapes.toml and a decoder of the size of models/photos, whose own encoder takes JAX
# seconds a photo on a CPU.
NETWORK = """
encoder_weights = "none"
min_count = 5
validation_beam_width = 1
model.attention.units = 256
model.decoder = { embedding_size = 300, lstm_units = 512 }
[model.encoder]
architecture = "MobileNet"
layers = ["conv_pw_11_relu"]
image_size = 128
options = { alpha = 0.25 }
[[stages]]
"""
STEPS = 6
CACHED = f"batch_size = 80\nsteps = {STEPS}\nepochs = 4"
ENCODER = f'batch_size = 8\nsteps = {STEPS}\nepochs = 2\ntrain_encoder_from = ""'


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> pathlib.Path:
    """Photos with captions of nine or ten words: JAX compiles a step for each length."""
    data = os.environ.get("CAPTIONER_DATA")
    if not data or not (pathlib.Path(data) / "captions.jsonl").exists():
        pytest.skip("CAPTIONER_DATA holds no captions.jsonl")
    chosen = []
    for example in read_dataset(data):
        captions = tuple(text for text in example.captions if len(split_words(text)) in (9, 10))
        if captions and len(chosen) < PHOTOS + DEV:
            chosen.append(Example(example.file, "dev" if len(chosen) < DEV else "train", captions))
    folder = tmp_path_factory.mktemp("photos")
    write_dataset(chosen, folder)
    return folder


@pytest.fixture(scope="module")
def variables(tmp_path_factory) -> dict[str, str]:
    return hosts.environment(tmp_path_factory.mktemp("compiled"))


def run(layout: tuple[int, int], photos, folder: pathlib.Path, stage: str, variables) -> tuple[float, float]:
    """Steps a second in the quickest epoch but the first, in which JAX compiles; photos a second of features."""
    folder.mkdir()
    (folder / "config.toml").write_text(NETWORK + stage)
    command = [sys.executable, "-m", "training.train", "--config", str(folder / "config.toml"), "--data", str(photos)]
    group = hosts.start([*command, "--workdir", str(folder / "run")], variables, folder, *layout)
    output, _ = hosts.end(group)[0]
    with (folder / "run" / "stage-0.csv").open() as file:
        seconds = [float(row["seconds"]) for row in csv.DictReader(file)][1:]
    found = [(int(count), float(rate)) for count, rate in re.findall(r"features (\d+)/\1 +([\d.]+) pictures/s", output)]
    count, rate = max(found, default=(1, 0.0))
    return STEPS / min(seconds), rate * PHOTOS / count  # of two processes, the first makes the larger share


def in_turn(photos, folder: pathlib.Path, stage: str, variables) -> None:
    best = {}
    for turn in range(TURNS):
        for layout in (ONE, TWO):
            rates = run(layout, photos, folder / f"{turn}-{layout[0]}", stage, variables)
            best[layout] = [max(pair) for pair in zip(rates, best.get(layout, rates), strict=True)]
            print(f"  {layout[0]} processes: {rates[0]:.3f} steps/s, features of {rates[1]:.1f} photos/s", flush=True)
    ratios = ["-" if not one else f"{two / one:.2f}" for one, two in zip(best[ONE], best[TWO], strict=True)]
    print(f"two processes over one: {ratios[0]} in steps, {ratios[1]} in features")


def test_cached_features(photos, tmp_path, variables):
    print(f"\ncached features of {PHOTOS} photos, 80 captions a step in all")
    in_turn(photos, tmp_path, CACHED, variables)


def test_encoder(photos, tmp_path, variables):
    print("\nthe encoder too, 8 photos a step in all")
    in_turn(photos, tmp_path, ENCODER, variables)
