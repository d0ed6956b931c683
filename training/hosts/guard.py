"""The process that one starts on a host watches another, which trains: JAX ends that one without a word of ours.

Where the first host dies, JAX's coordination service, which runs there, takes every other process down by SIGABRT.
Nothing in such a process can answer that, so somebody outside it has to say what happened.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

from captioner.errors import ConfigError
from training.hosts.places import Place, find_place

INSIDE = "CAPTIONER_GUARDED_BY"  # set in the process that trains: its guard's process id
PATIENCE = 3.0  # seconds that the first host has to answer in


def guard_training(arguments: list[str]) -> None:
    """Returns where there is nothing to guard; else runs the same command in a process that trains, and ends with it.

    Args:
        arguments: of `python -m training.train`.
    """
    if INSIDE in os.environ:
        return
    try:
        place = find_place(_option(arguments, "--hosts"), _index(arguments), os.environ)
    except ConfigError:
        return  # the command itself says what is wrong, in the order of all that may be wrong
    if place is None:
        return
    environment = {**os.environ, INSIDE: str(os.getpid()), "KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "jax")}
    process = subprocess.Popen([sys.executable, "-m", "training.train", *arguments], env=environment)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: process.send_signal(number))
    code = process.wait()
    if code < 0:
        print(f"error: {_ended(place, -code)}", file=sys.stderr)
    sys.exit(code if code >= 0 else 128 - code)


def _option(arguments: list[str], name: str) -> str | None:
    """The value of an option, before the command line is read as a whole: that takes Keras."""
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
        if argument == name and place + 1 < len(arguments):
            return arguments[place + 1]
    return None


def _index(arguments: list[str]) -> int | None:
    text = _option(arguments, "--host-index")
    return int(text) if text and text.isdecimal() else None


def _ended(place: Place, number: int) -> str:
    """One line about a process that a signal ended."""
    if number == signal.SIGABRT and place.index != 0 and not _answers(place):
        return f"{place.name(0)} has died or cannot be reached; {GO_ON}"
    name = signal.Signals(number).name
    hint = ", for want of memory perhaps" if number == signal.SIGKILL else ""
    return f"{place.name(place.index)}, this one, was ended by {name}{hint}; {GO_ON}"


GO_ON = "give the same command again, with as many hosts as you like: it goes on from the last checkpoint"


def _answers(place: Place) -> bool:
    """Whether the first host's process is there. Where nobody knows its address, that JAX gave up on it must do."""
    if not place.addresses:
        return False
    host, _, port = place.addresses[0].rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PATIENCE):
            return True
    except OSError:
        return False
