"""Several processes that train as one, on JAX: `keras.distribution` feeds and adds up, its key-value store tells."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import pathlib
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from typing import Any

import jax
import keras
from jax._src.distributed import global_state  # the key-value store has no public name, see jax.distributed
from jax.experimental import multihost_utils

from captioner.errors import CaptionerError, ConfigError
from training.hosts.group import Hosts
from training.hosts.places import Place
from training.hosts.watch import ENDED, FAILED, LOST, START, Watch

DAY = 24 * 3600 * 1000  # milliseconds; the watch ends a wait for a host that is dead


class JoinedHosts(Hosts):
    """The processes of one training; see `Hosts`.

    Args:
        place: of this process.
    """

    def __init__(self, place: Place):
        self.place, self.index, self.count = place, place.index, place.count
        self._client, self._asked = global_state.client, 0
        self.devices = keras.distribution.get_device_count()
        # Gloo gives all processes 30 s to find each other, from the first sum on: here they are close together.
        self.gather(None)
        multihost_utils.sync_global_devices("captioner")
        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        names = self.gather(socket.gethostname())
        if place.addresses:
            names = [place.name(index) for index in range(place.count)]
        else:
            names = [f"host {index} ({name})" for index, name in enumerate(names)]
        self.names = names
        self.watch = Watch(place, names, self._tell, self._hear)
        self.watch.start()

    def gather(self, value: Any) -> list[Any]:
        self._asked += 1
        self._client.key_value_set(self._key(self._asked, self.index), json.dumps(value))
        answers = [
            json.loads(self._client.blocking_key_value_get(self._key(self._asked, index), DAY))
            for index in range(self.count)
        ]
        if self._asked > 1:  # all have answered this, so all have read the one before
            self._client.key_value_delete(self._key(self._asked - 1, self.index))
        return answers

    def check_shared(self, folder: pathlib.Path) -> None:
        mark = folder / f"partial-hosts-{self.agree(lambda: uuid.uuid4().hex)}"
        if self.leads:
            mark.touch()
        self.wait()
        try:
            self.see([mark])
        except ConfigError:
            raise ConfigError(
                f"{folder} on {self.names[self.index]} is another folder than on {self.names[0]}; put --workdir on a "
                "file system that all hosts share"
            ) from None
        self.wait()
        mark.unlink(missing_ok=True)

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        with self._distribution.scope(), _unchecked():
            yield

    @staticmethod
    def _key(asked: int, index: int) -> str:
        return f"captioner/asked/{asked}/{index}"

    def _tell(self, word: str) -> None:
        self._client.key_value_set(f"captioner/beats/{self.index}", word, allow_overwrite=True)

    def _hear(self) -> dict[int, str]:
        beats = self._client.key_value_dir_get("captioner/beats/")
        return {int(key.rpartition("/")[2]): word for key, word in beats}


@contextlib.contextmanager
def joined(place: Place) -> Iterator[Hosts]:
    """The processes that this one trains with; the same command has to be started on each of them.

    Raises:
        ConfigError: the others do not come.
    """
    _initialize(place)
    hosts = JoinedHosts(place)
    try:
        with _silent(hosts):
            yield hosts
    except BaseException as error:
        _fail(hosts, error)
        raise
    hosts.wait()
    hosts.watch.leave(ENDED)
    hosts.wait()
    jax.distributed.shutdown()


@contextlib.contextmanager
def _unchecked() -> Iterator[None]:
    """Variables go to all devices without JAX's comparing of each on all hosts, by a program of its own for each shape.

    That took minutes where the rest of a start takes seconds. What differs is found by `engine.replica`, at once.
    """
    compare = multihost_utils.assert_equal
    multihost_utils.assert_equal = lambda *values, **named: None
    try:
        yield
    finally:
        multihost_utils.assert_equal = compare


def _initialize(place: Place) -> None:
    addresses = ",".join(place.addresses) or None
    jax.config.update("jax_enable_preemption_service", False)  # it swallows SIGTERM, which is to end this process
    keras.utils.set_random_seed(0)  # else Keras lets the hosts draw one together; training sets its own
    try:
        # Where SLURM or Open MPI say all of it JAX reads it there, and gives each process of a machine one GPU.
        counted = (place.count, place.index) if place.addresses else (None, None)
        keras.distribution.initialize(addresses, *counted)
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(f"{place.name(place.index)} did not find the others: {reason}") from None


@contextlib.contextmanager
def _silent(hosts: Hosts) -> Iterator[None]:
    """What is printed is printed by the first process."""
    if hosts.leads:
        yield
        return
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def _fail(hosts: JoinedHosts, error: BaseException) -> None:
    """Tell the others that this process ends, unless it ends because one of them has."""
    if not isinstance(error, (CaptionerError, KeyboardInterrupt, SystemExit, OSError)):
        time.sleep(LOST + 10)  # where a host has died, what follows from that came first; the watch will name it
    with contextlib.suppress(Exception):
        hosts.watch.leave(FAILED)
        time.sleep(START)  # the others hear it from the first process, which may be this one
    atexit.register(_leave)  # the last to register is the first to run


def _leave() -> None:
    """End without JAX's own way out, which waits for all of the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(2)
