"""A run that is cut, at whatever moment, goes on and ends as if it had not been."""

from __future__ import annotations

import csv
import random

import pytest

from captioner import ModelError
from tests.integration import kills
from training.config import load_config
from training.engine.loop import Loop
from training.train import train

SETTINGS = [
    *kills.SETTINGS,
    "model.attention.units=8",
    "model.decoder.lstm_units=12",
    "model.decoder.embedding_size=8",
    "stages.0.epochs=2",
    "stages.0.steps=4",
    "stages.0.batch_size=16",
    "checkpoint_steps=2",
]


class Cut(Exception):
    """Stands for the end of the process."""


def rows(workdir):
    with (workdir / "stage-0.csv").open() as file:
        return [{k: v for k, v in row.items() if "second" not in k} for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_run_cut_within_an_epoch_ends_with_the_same_weights(root, shapes, tmp_path, monkeypatch):
    monkeypatch.setattr("training.train.write_report", lambda run: "")  # takes as long as all the rest
    config = load_config(root / "training" / "configs" / "shapes.toml", SETTINGS)
    whole, part = tmp_path / "whole", tmp_path / "part"
    train(config, shapes, whole)
    part.mkdir()
    (part / "features").symlink_to(whole / "features")
    save, saved = Loop._save, []

    def cut_before_the_fourth(self):
        saved.append(1)
        if len(saved) == 4:  # the second epoch has ended and been judged; its middle is the newest checkpoint
            raise Cut
        save(self)

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(Loop, "_save", cut_before_the_fourth)
        train(config, shapes, part)
    kept = sorted(path.name for path in (part / "checkpoints" / "stage-0").iterdir())
    assert kept == ["epoch-00001-step-0000000.npz", "epoch-00001-step-0000002.npz"]
    with pytest.raises(ModelError, match="holds another run: seed was 0 there and is 5 here"):
        train(config.model_copy(update={"seed": 5}), shapes, part)
    train(config, shapes, part)
    assert kills.largest_difference(whole / "stage-0.weights.h5", part / "stage-0.weights.h5") <= 1e-6
    assert rows(part) == rows(whole)
    assert (part / "best" / "model.safetensors").exists()
    assert not (part / "checkpoints" / "stage-0").exists()


@pytest.mark.slow
def test_killed_runs_end_with_the_weights_of_an_uninterrupted_one(shapes, tmp_path):
    settings, rng = ["stages.0.epochs=1", "stages.0.steps=12"], random.Random(1)
    done = kills.train(shapes, tmp_path / "whole", settings)
    assert done.returncode == 0, done.stderr
    died = [kills.train_and_kill(shapes, tmp_path / "cut", settings, rng, inside) for inside in (True, True, False)]
    assert sum(kill is not None and kill.inside for kill in died) >= 2, died
    done = kills.train(shapes, tmp_path / "cut", settings)
    assert done.returncode == 0, done.stderr
    name = "stage-0.weights.h5"
    assert kills.largest_difference(tmp_path / "whole" / name, tmp_path / "cut" / name) <= 1e-6
    assert not list((tmp_path / "cut").rglob("partial-*"))
