"""Who takes part in a training over hosts: from the command line, or from what started the processes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from captioner.errors import ConfigError

# What says which process of a job this is, by who started it.
INDEX_VARIABLES = {
    "Kubernetes": "JOB_COMPLETION_INDEX",
    "SLURM": "SLURM_PROCID",
    "Open MPI": "OMPI_COMM_WORLD_RANK",
}
# What says how many there are, and what JAX reads the address of the first from.
COUNT_VARIABLES = {
    "SLURM": ("SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST"),
    "Open MPI": ("OMPI_COMM_WORLD_SIZE", "OMPI_MCA_orte_hnp_uri"),
}
ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:,\[\]]+):(\d{1,5})")


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a process stands among those that train together.

    Attributes:
        index: of this process; 0 leads.
        count: of processes.
        addresses: of all of them, "host:port"; () where JAX reads the first one's from the environment.
    """

    index: int
    count: int
    addresses: tuple[str, ...] = ()

    def name(self, index: int) -> str:
        """A process by its number and, where it is known, its address."""
        return f"host {index} ({self.addresses[index]})" if self.addresses else f"host {index}"


def find_place(hosts: str | None, index: int | None, environment: Mapping[str, str]) -> Place | None:
    """The place of this process; None where it trains alone.

    Args:
        hosts: addresses "host:port", separated by commas, in the same order everywhere; None asks the environment.
        index: which of them this process is; None asks the environment.
        environment: of the process.

    Raises:
        ConfigError: an address or the index is wrong or missing.
    """
    if hosts is None:
        if index is not None:
            raise ConfigError(f"--host-index {index} needs --hosts HOST:PORT,… that it counts in")
        return _announced(environment)
    addresses = tuple(hosts.split(","))
    for address in addresses:
        _check(address)
    if len(set(addresses)) < len(addresses):
        raise ConfigError(f"--hosts names an address twice: {hosts}; each process has one of its own")
    if index is None:
        index = _index(environment)
    if not 0 <= index < len(addresses):
        raise ConfigError(f"--host-index is 0 to {len(addresses) - 1}, as --hosts names {len(addresses)}. Got: {index}")
    return Place(index, len(addresses), addresses) if len(addresses) > 1 else None


def _check(address: str) -> None:
    match = ADDRESS.fullmatch(address)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise ConfigError(f"--hosts takes HOST:PORT, separated by commas without spaces. Received: {address!r}")


def _index(environment: Mapping[str, str]) -> int:
    """Which process this is, from whoever started it."""
    for variable in INDEX_VARIABLES.values():
        if variable in environment:
            return _number(environment, variable)
    known = ", ".join(f"{variable} ({starter})" for starter, variable in INDEX_VARIABLES.items())
    raise ConfigError(f"which of --hosts is this process? Give --host-index I; none of {known} is set")


def _announced(environment: Mapping[str, str]) -> Place | None:
    """The place that SLURM or Open MPI announce; Kubernetes does not say how many there are."""
    for starter, (count_variable, first_variable) in COUNT_VARIABLES.items():
        if count_variable not in environment or INDEX_VARIABLES[starter] not in environment:
            continue
        count, index = _number(environment, count_variable), _number(environment, INDEX_VARIABLES[starter])
        if count == 1:
            continue
        if not 0 <= index < count:
            raise ConfigError(f"{INDEX_VARIABLES[starter]} is {index} and {count_variable} {count}; unset both")
        if first_variable not in environment:
            raise ConfigError(
                f"{starter} started {count} processes but {first_variable}, which names the first one's machine, is "
                "not set: give --hosts HOST:PORT,…"
            )
        return Place(index, count)
    return None


def _number(environment: Mapping[str, str], variable: str) -> int:
    text = environment[variable]
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise ConfigError(f"the environment variable {variable} is a number. Received: {text!r}")
    return int(text)
