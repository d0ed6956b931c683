"""One training by two processes: the weights of one process, what a death says, and going on with other numbers.

It takes ten minutes of two cores that do nothing else, so that nobody is silent for long: too much for every day.
"""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from tests.integration import kills
from tests.smoke import SMOKE
from training.data.datasets import read_dataset, write_dataset
from training.shapes import write_shapes

SETTINGS = [*SMOKE, "stages.0.batch_size=8", "stages.0.steps=8", "stages.0.dropout=0.3", "checkpoint_steps=2"]
CACHED = ["stages.0.state_dropout=0.1", "stages.0.word_dropout=0.2"]
MINUTE = 60.0


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> pathlib.Path:
    """A few generated shapes, with captions of about one length: JAX compiles a step for each length."""
    folder = write_shapes(tmp_path_factory.mktemp("data") / "shapes", {"train": 64, "dev": 8, "test": 8}).parent
    write_dataset([example for example in read_dataset(folder) if len(example.captions[0].split()) > 5], folder)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """JAX on the CPU, which keeps what it has compiled for the next run."""
    return {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("compiled")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05",
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def start(count: int, data, workdir: pathlib.Path, settings: list[str], environment) -> list[subprocess.Popen]:
    """The command on each of `count` hosts, each on a core of its own and in a session of its own."""
    addresses = ",".join(f"127.0.0.1:{free_port()}" for _ in range(count))
    cores = sorted(os.sched_getaffinity(0))
    processes = []
    for index in range(count):
        core = cores[index % len(cores)]
        hosts = ["--hosts", addresses, "--host-index", str(index)] if count > 1 else []
        processes.append(
            subprocess.Popen(
                [*kills.command(data, workdir, settings), *hosts],
                cwd=kills.ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=lambda core=core: os.sched_setaffinity(0, {core}),
            )
        )
    return processes


def end(processes: list[subprocess.Popen]) -> list[str]:
    """Wait for the end of a run that nobody interrupts; what each process has printed."""
    said = [process.communicate(timeout=900) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said
    return [output for output, _ in said]


def kill_one(processes: list[subprocess.Popen], dead: int, workdir: pathlib.Path, steps: int) -> str:
    """Kill a host, both of its processes, once a checkpoint after so many steps is there; what the other says."""
    folder, wanted = workdir / "checkpoints" / "stage-0", f"epoch-00000-step-{steps:07d}.npz"
    deadline = time.monotonic() + 900
    while not any(path.name >= wanted for path in folder.glob("epoch-*.npz")):
        assert all(process.poll() is None for process in processes), [process.communicate() for process in processes]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(processes[dead].pid, signal.SIGKILL)
    killed = time.monotonic()
    _, said = processes[1 - dead].communicate(timeout=2 * MINUTE)
    assert time.monotonic() - killed < MINUTE
    assert processes[1 - dead].returncode not in (0, None)
    processes[dead].communicate()
    return said


def weights(workdir: pathlib.Path) -> pathlib.Path:
    return workdir / "stage-0.weights.h5"


@pytest.fixture(scope="module")
def of_one_host(shapes, tmp_path_factory, environment) -> pathlib.Path:
    """The weights that one host ends with."""
    workdir = tmp_path_factory.mktemp("runs") / "one"
    end(start(1, shapes, workdir, [*SETTINGS, *CACHED], environment))
    return weights(workdir)


def test_two_hosts_end_with_the_weights_of_one(shapes, of_one_host, tmp_path, environment):
    leader, other = end(start(2, shapes, tmp_path, [*SETTINGS, *CACHED], environment))
    assert "step 8/8" in leader and "step" not in other
    assert kills.largest_difference(of_one_host, weights(tmp_path)) < 1e-5


def test_hosts_that_die_are_named_and_the_run_goes_on_with_two_and_with_one(shapes, of_one_host, tmp_path, environment):
    settings = [*SETTINGS, *CACHED]
    said = kill_one(start(2, shapes, tmp_path, settings, environment), 1, tmp_path, 2)
    assert said.count("error: host 1 (127.0.0.1:") == said.count("has died") == len(said.splitlines()) == 1, said
    said = kill_one(start(2, shapes, tmp_path, settings, environment), 0, tmp_path, 4)
    assert said.count("error: host 0 (127.0.0.1:") == said.count("has died") == len(said.splitlines()) == 1, said
    (output,) = end(start(1, shapes, tmp_path, settings, environment))
    assert "going on in epoch" in output
    assert kills.largest_difference(of_one_host, weights(tmp_path)) < 1e-5


def test_two_hosts_train_the_encoder_as_one_does(shapes, tmp_path, environment):
    one, two = tmp_path / "one", tmp_path / "two"
    # Adam divides a gradient by its size, so that the rounding of one near nought becomes a whole step: a small rate.
    settings = [*SETTINGS, "stages.0.steps=4", "stages.0.learning_rate=1e-4", 'stages.0.train_encoder_from=""']
    end(start(1, shapes, one, settings, environment))
    end(start(2, shapes, two, settings, environment))
    assert kills.largest_difference(weights(one), weights(two)) < 1e-5


def test_an_error_on_all_hosts_is_one_line_each(shapes, tmp_path, environment):
    processes = start(2, shapes, tmp_path, [*SETTINGS, *CACHED, "stages.0.batch_size=9"], environment)
    for process in processes:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 2
        assert len(said.splitlines()) == 1 and said.startswith("error: "), said
