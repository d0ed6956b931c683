"""One training by two processes: the weights of one process, what a death says, and going on with other numbers."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from tests.integration import hosts, kills
from tests.smoke import SMOKE
from training.data.datasets import read_dataset, write_dataset
from training.shapes import write_shapes

SETTINGS = [*SMOKE, "stages.0.batch_size=8", "stages.0.steps=8", "stages.0.dropout=0.3", "checkpoint_steps=2"]
CACHED = [*SETTINGS, "stages.0.state_dropout=0.1", "stages.0.word_dropout=0.2"]


@pytest.fixture(scope="module")
def of_one_length(tmp_path_factory) -> pathlib.Path:
    """A few generated shapes, with captions of about one length: JAX compiles a step for each length."""
    folder = write_shapes(tmp_path_factory.mktemp("data") / "shapes", {"train": 64, "dev": 8, "test": 8}).parent
    write_dataset([example for example in read_dataset(folder) if len(example.captions[0].split()) > 5], folder)
    return folder


@pytest.fixture(scope="module")
def variables(tmp_path_factory) -> dict[str, str]:
    return hosts.environment(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module")
def of_one_host(of_one_length, tmp_path_factory, variables) -> pathlib.Path:
    """The folder of a run by one host."""
    folder = tmp_path_factory.mktemp("one")
    hosts.end(hosts.start(kills.command(of_one_length, folder / "run", CACHED), variables, folder / "logs"))
    return folder / "run"


@pytest.fixture(scope="module")
def cut(of_one_length, tmp_path_factory, variables) -> pathlib.Path:
    """The folder of a run by two hosts, of which the first was killed; the second has said so."""
    folder = tmp_path_factory.mktemp("cut")
    group = hosts.start(kills.command(of_one_length, folder / "run", CACHED), variables, folder / "logs", count=2)
    said = hosts.kill_one(group, 0, lambda: any((folder / "run" / "checkpoints").rglob("epoch-*.npz")))
    assert_names(said, 0)
    return folder / "run"


def assert_names(said: str, dead: int) -> None:
    """One line, about the host that died."""
    assert len(said.splitlines()) == 1 and f"error: host {dead} (127.0.0.1:" in said and "has died" in said, said


def difference(workdir: pathlib.Path, other: pathlib.Path) -> float:
    return kills.largest_difference(workdir / "stage-0.weights.h5", other / "stage-0.weights.h5")


@pytest.mark.slow
def test_killed_and_gone_on_with_two_hosts_ends_with_the_weights_of_one(
    of_one_length, of_one_host, cut, tmp_path, variables
):
    shutil.copytree(cut, tmp_path / "run")
    command = kills.command(of_one_length, tmp_path / "run", CACHED)
    (leader, _), (other, _) = hosts.end(hosts.start(command, variables, tmp_path / "logs", count=2))
    assert "going on in epoch" in leader and "step 8/8" in leader and "step" not in other
    assert difference(of_one_host, tmp_path / "run") < 1e-5


@pytest.mark.slow
def test_killed_twice_and_gone_on_with_one_host_ends_with_the_same_weights(
    of_one_length, of_one_host, cut, tmp_path, variables
):
    shutil.copytree(cut, tmp_path / "run")
    command = kills.command(of_one_length, tmp_path / "run", CACHED)
    group = hosts.start(command, variables, tmp_path / "logs", count=2)
    assert_names(hosts.kill_one(group, 1, lambda: "going on" in group[0].output.read_text()), 1)
    ((output, _),) = hosts.end(hosts.start(command, variables, tmp_path / "logs"))
    assert "going on in epoch" in output
    assert difference(of_one_host, tmp_path / "run") < 1e-5


@pytest.mark.slow
def test_two_hosts_train_the_encoder_as_one_does(of_one_length, tmp_path, variables):
    # Adam divides a gradient by its size, so that the rounding of one near nought becomes a whole step: a small rate.
    settings = [*SETTINGS, "stages.0.steps=4", "stages.0.learning_rate=1e-4", 'stages.0.train_encoder_from=""']
    for count in (1, 2):
        command = kills.command(of_one_length, tmp_path / f"run-{count}", settings)
        hosts.end(hosts.start(command, variables, tmp_path / "logs", count))
    assert difference(tmp_path / "run-1", tmp_path / "run-2") < 1e-5


@pytest.mark.slow
def test_an_error_on_all_hosts_is_one_line_each(of_one_length, tmp_path, variables):
    command = kills.command(of_one_length, tmp_path / "run", [*CACHED, "stages.0.batch_size=9"])
    for _, said in hosts.end(hosts.start(command, variables, tmp_path / "logs", count=2), codes=[2]):
        assert len(said.splitlines()) == 1 and said.startswith("error: "), said
