"""What the processes of one training ask of each other."""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from captioner.errors import ConfigError

VISIBLE = 120.0  # seconds that a network's file system may take to show what another machine has written


class Hosts:
    """The processes that train together. This one is alone; `training.hosts.joined` has those that are not.

    Attributes:
        index: of this process.
        count: of processes.
        devices: that share each batch, on all hosts.
    """

    index, count, devices = 0, 1, 1

    @property
    def leads(self) -> bool:
        """Whether this process writes what all of them read."""
        return self.index == 0

    def gather(self, value: Any) -> list[Any]:
        """What each process gave, in their order; JSON-ready. Every process has to come here."""
        return [value]

    def agree(self, decide: Callable[[], Any]) -> Any:
        """What the first process decides; JSON-ready. Every process has to come here."""
        return self.gather(decide() if self.leads else None)[0]

    def wait(self) -> None:
        """Until every process has come here."""
        self.gather(None)

    @contextlib.contextmanager
    def one_first(self) -> Iterator[None]:
        """The first process goes through it before all others do."""
        if not self.leads:
            self.wait()
        yield
        if self.leads:
            self.wait()

    def scope(self) -> contextlib.AbstractContextManager:
        """Keras objects that are made in it, and steps that are run in it, are those of all processes."""
        return contextlib.nullcontext()

    def share(self, rows: int) -> slice:
        """The rows of a batch that this process feeds.

        Raises:
            ConfigError: the devices cannot share them evenly.
        """
        if rows % self.devices:
            raise ConfigError(
                f"a batch of {rows} rows cannot be shared evenly by {self.devices} devices on {self.count} hosts; set "
                f"stages.batch_size to make it a multiple of {self.devices}, or start another number of hosts"
            )
        size = rows // self.count
        return slice(self.index * size, (self.index + 1) * size)

    def check_shared(self, folder: pathlib.Path) -> None:
        """Whether a folder is the same one on all hosts.

        Raises:
            ConfigError: it is not.
        """

    def see(self, paths: Iterable[pathlib.Path]) -> None:
        """Wait until files are there that another process has written.

        Raises:
            ConfigError: they do not appear.
        """
        deadline = time.monotonic() + VISIBLE
        for path in paths:
            while not path.exists():
                if time.monotonic() > deadline:
                    raise ConfigError(f"{path} was written on another host and is not here; share the --workdir")
                time.sleep(0.2)


ALONE = Hosts()
