"""Checkpoints and the folder of a run: whole or not at all, one run at a time, nobody else's."""

from __future__ import annotations

import subprocess
import sys
import types

import keras
import numpy as np
import pytest

from captioner import ConfigError, ModelError
from captioner.folders.folder import recover_folder
from training.engine.checkpoint import Checkpoints, first_difference
from training.engine.loop import Loop
from training.workdir import locked, need_space, written

IDENTITY = {"model": {"units": 3}, "seed": 0}


def trainer(units=3):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units), keras.layers.Dropout(0.5)])
    model.compile(optimizer=keras.optimizers.AdamW(use_ema=True), loss="mse", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def step(model):
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.normal(size=(4, 2)), rng.normal(size=(4, 3)))


def numbers(model):
    return [keras.ops.convert_to_numpy(v) for v in (*model.variables, *model.optimizer.variables)]


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", IDENTITY, {"rate": 1})


def test_everything_comes_back(checkpoints):
    one, other = trainer(), trainer()
    for _ in range(3):
        step(one)
    checkpoints.save(one, {"epoch": 1, "step": 3, "sums": {"loss": 0.1}})
    assert checkpoints.restore(other) == {"epoch": 1, "step": 3, "sums": {"loss": 0.1}}
    step(one)
    step(other)  # the same dropout, momentum, average and step count
    for a, b in zip(numbers(one), numbers(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_newest_two_are_kept(checkpoints):
    model = trainer()
    for epoch, at in ((0, 900), (0, 1000), (1, 0), (2, 0)):
        checkpoints.save(model, {"epoch": epoch, "step": at})
    assert [path.name for path in checkpoints.paths()] == [
        "epoch-00001-step-0000000.npz",
        "epoch-00002-step-0000000.npz",
    ]


def test_a_damaged_checkpoint_gives_way_to_the_one_before(checkpoints, capsys):
    model = trainer()
    for epoch in (1, 2):
        checkpoints.save(model, {"epoch": epoch, "step": 0})
    newest = checkpoints.paths()[-1]
    newest.write_bytes(newest.read_bytes()[:-200])
    assert checkpoints.restore(model)["epoch"] == 1
    assert "cannot be read" in capsys.readouterr().out


def test_a_flipped_bit_is_noticed(checkpoints):
    model = trainer()
    checkpoints.save(model, {"epoch": 1, "step": 0})
    path = checkpoints.paths()[0]
    data = bytearray(path.read_bytes())
    data[data.index(b"00000.npy") + 140] ^= 1  # inside the first array's numbers
    path.write_bytes(data)
    assert checkpoints.restore(model) is None


def test_none_is_none(checkpoints):
    assert checkpoints.restore(trainer()) is None


def test_weights_that_are_not_finite_are_refused(checkpoints):
    model = trainer()
    checkpoints.save(model, {"epoch": 1, "step": 0})
    model.layers[0].bias.assign([0.0, np.nan, 0.0])
    with pytest.raises(ModelError, match="bias holds values that are not finite; no checkpoint was written"):
        checkpoints.save(model, {"epoch": 2, "step": 0})
    assert len(checkpoints.paths()) == 1


class Poisoned:
    """Batches of which the second holds a number that is not finite."""

    ahead = True

    def __len__(self):
        return 3

    def begin_epoch(self, epoch):
        self.epoch = epoch

    def __getitem__(self, index):
        x = np.full((4, 2), np.nan if index == 1 else 1.0, np.float32)
        return x, {"targets": np.ones((4, 3), np.float32)}


class Model(keras.Model):
    """Takes the batches of training."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.dense.build((None, 2))
        self.built = True

    def call(self, inputs):
        return self.dense(inputs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return keras.ops.mean(keras.ops.square(y_pred - y["targets"]))


def test_a_loss_that_is_not_finite_ends_the_run_and_reaches_no_checkpoint(checkpoints):
    model = Model()
    model.compile(optimizer="adam", jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    loop = Loop(model, Poisoned(), 2, types.SimpleNamespace(patience_is_over=False), checkpoints, every=1)
    with pytest.raises(ModelError, match="the loss is nan in epoch 1, step 2; lower learning_rate"):
        loop.run()
    assert [path.name for path in checkpoints.paths()] == ["epoch-00000-step-0000001.npz"]
    with np.load(checkpoints.paths()[0]) as archive:
        assert all(np.isfinite(archive[name]).all() for name in archive.files)


def test_a_checkpoint_of_another_run_is_refused(checkpoints):
    checkpoints.save(trainer(), {"epoch": 1, "step": 0})
    other = Checkpoints(checkpoints.folder, {**IDENTITY, "model": {"units": 4}}, {})
    with pytest.raises(ModelError, match="model.units was 3 there and is 4 here; choose another --workdir"):
        other.restore(trainer())
    with pytest.raises(ModelError, match="is of another model: it holds"):
        checkpoints.restore(trainer(units=4))


def test_a_setting_that_has_changed_is_said(checkpoints, capsys):
    checkpoints.save(trainer(), {"epoch": 1, "step": 0})
    Checkpoints(checkpoints.folder, IDENTITY, {"rate": 2}).restore(trainer())
    assert "rate was 1 there and is 2 here" in " ".join(capsys.readouterr().out.split())


def test_first_difference_names_the_place():
    assert first_difference({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2]}}) == ""
    assert first_difference({"a": {"b": 1}}, {"a": {"b": 2}}) == "a.b was 1 there and is 2 here"
    assert first_difference({"a": {}}, {"a": {"c": "x"}}) == 'a.c was null there and is "x" here'


def test_one_run_at_a_time(tmp_path):
    with locked(tmp_path / "run"):
        refused = pytest.raises(ConfigError, match="another run trains in .*choose another --workdir")
        with refused, locked(tmp_path / "run"):
            pass
    with locked(tmp_path / "run"):
        pass


def test_what_a_kill_left_is_cleared_away(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "partial-epoch-00001.npz").write_bytes(b"half")
    (tmp_path / ".best-old").mkdir()
    (tmp_path / ".best-old" / "config.json").write_text("{}")
    (tmp_path / ".best-x1y2").mkdir()
    with locked(tmp_path):
        assert not list(tmp_path.rglob("partial-*"))
        assert (tmp_path / "best" / "config.json").exists()
        assert not list(tmp_path.glob(".best-*"))


def test_the_newer_folder_stays(tmp_path):
    for name in ("best", ".best-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name.txt").write_text(name)
    recover_folder(tmp_path / "best")
    assert (tmp_path / "best" / "name.txt").read_text() == "best"
    assert not (tmp_path / ".best-old").exists()


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), written(path) as partial:
        partial.write_text("ne")
        raise ZeroDivisionError
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("old", 1)
    with written(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert (path.read_text(), len(list(tmp_path.iterdir()))) == ("new", 1)


def test_too_little_space_is_said_before_it_is_needed(tmp_path):
    need_space(tmp_path, 1, "features")
    with pytest.raises(ConfigError, match=r"features need 1000000.0 GB in .* GB are free; make room"):
        need_space(tmp_path, 10**15, "features")


def test_a_full_disk_is_one_line(root, tmp_path):
    """The kernel refuses to let the file grow, as it does on a full disk."""
    code = f"""
import pathlib, resource
from training import commands
from training.workdir import written

def main():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    with written(pathlib.Path({str(tmp_path)!r}) / "a.bin") as partial:
        partial.write_bytes(bytes(5000))

commands.run(main)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == [
        "error: the disk is full; make room and give the same command again, it goes on where it stopped"
    ]
    assert not list(tmp_path.iterdir())
