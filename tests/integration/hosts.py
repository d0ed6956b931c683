"""One training by several processes of this machine, each on cores of its own; for test_hosts.py and the benchmarks."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence

from tests.integration import kills

PATIENCE = 900.0  # seconds for what takes half a minute on a machine that does nothing else
ABORTED = 128 + signal.SIGABRT  # how a host ends when JAX takes it down, because the first one has died


@dataclasses.dataclass
class Host:
    """A process that trains, and what it prints and says on stderr."""

    process: subprocess.Popen
    output: pathlib.Path
    errors: pathlib.Path

    def kill(self) -> None:
        """Both of its processes, the one that trains and the one that watches it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def environment(compiled: pathlib.Path) -> dict[str, str]:
    """JAX on the CPU, which keeps in a folder what it has compiled for the next run."""
    return {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": str(compiled),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.05",
        "PYTHONUNBUFFERED": "1",
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def start(command: list[str], variables: dict[str, str], logs: pathlib.Path, count: int = 1, cores: int = 1):
    """A training on `count` hosts, each with so many cores and in a session of its own; list[Host]."""
    addresses = ",".join(f"127.0.0.1:{free_port()}" for _ in range(count))
    logs.mkdir(parents=True, exist_ok=True)
    there, group = sorted(os.sched_getaffinity(0)), []
    for index in range(count):
        mine = {there[(index * cores + place) % len(there)] for place in range(cores)}
        output, errors = logs / f"{index}.out", logs / f"{index}.err"
        with output.open("w") as out, errors.open("w") as err:
            process = subprocess.Popen(
                [*command, *(["--hosts", addresses, "--host-index", str(index)] if count > 1 else [])],
                cwd=kills.ROOT,
                env=variables,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=lambda mine=mine: os.sched_setaffinity(0, mine),
            )
        group.append(Host(process, output, errors))
    return group


def end(group: Sequence[Host], codes: Sequence[int] = (0,)) -> list[tuple[str, str]]:
    """Wait for the end of hosts; what each has printed and said. They are gone then, whatever happened."""
    deadline = time.monotonic() + PATIENCE
    try:
        ended = [host.process.wait(max(deadline - time.monotonic(), 0)) for host in group]
    finally:
        for host in group:
            host.kill()
    said = [(host.output.read_text(), host.errors.read_text()) for host in group]
    assert set(ended) <= set(codes), (ended, said)
    return said


def kill_one(group: Sequence[Host], dead: int, moment: Callable[[], bool]) -> str:
    """Kill a host of two at a moment; what the other says, which has to end by itself."""
    deadline = time.monotonic() + PATIENCE
    while not moment():
        if time.monotonic() > deadline or any(host.process.poll() is not None for host in group):
            raise AssertionError(end(group, codes=()))
        time.sleep(0.05)
    group[dead].kill()
    ((_, said),) = end([group[1 - dead]], codes=(2, ABORTED))
    return said
