"""Which host is dead, and what the others say of it."""

from __future__ import annotations

import signal
import socket

import pytest

from training.hosts.guard import _ended, _index, _option
from training.hosts.places import Place
from training.hosts.watch import BEAT, ENDED, FAILED, LOST, START, Watch

NAMES = ["host 0 (a:1)", "host 1 (b:1)", "host 2 (c:1)"]


class Left(Exception):
    """In place of the process's end."""


def end(line: str) -> None:
    raise Left(line)


@pytest.fixture
def watch():
    said: list[str] = []
    watch = Watch(Place(1, 3, ("a:1", "b:1", "c:1")), NAMES, said.append, dict, end)
    watch.said, watch.began = said, watch._last[0][1]
    return watch


def test_hosts_that_beat_are_left_alone(watch):
    for second in range(0, 100, 10):
        watch.judge({0: f"alive {second}", 2: f"alive {second}"}, watch.began + second)


@pytest.mark.parametrize("dead", [0, 2])
def test_a_silent_host_is_named_within_a_minute(watch, dead):
    heard = {0: "alive 1", 2: "alive 1"}
    watch.judge(heard, watch.began + 1)
    other = 2 - dead
    watch.judge({**heard, other: "alive 20"}, watch.began + 20)
    with pytest.raises(Left, match=f"host {dead}.*has died"):
        watch.judge({**heard, other: "alive 47"}, watch.began + 1.5 + LOST)
    assert LOST + START + BEAT < 60


def test_what_this_process_oversleeps_is_held_against_nobody(watch):
    heard = {0: "alive 1", 2: "alive 1"}
    watch.judge(heard, watch.began + 1)
    watch.excuse(30)
    watch.judge(heard, watch.began + LOST + 20)
    with pytest.raises(Left):
        watch.judge(heard, watch.began + LOST + 32)


def test_the_first_host_is_named_where_nobody_answers(watch):
    watch.judge({0: "alive 1", 2: "alive 1"}, watch.began + 1)
    watch.judge({}, watch.began + LOST)
    with pytest.raises(Left, match="host 0"):
        watch.judge({}, watch.began + LOST + 2)


def test_a_host_that_has_ended_is_not_dead(watch):
    watch.judge({0: ENDED, 2: ENDED}, watch.began + 1)
    watch.judge({}, watch.began + 1000)


def test_a_host_that_failed_is_named_at_once(watch):
    with pytest.raises(Left, match="host 2 .*its own output"):
        watch.judge({0: "alive 1", 2: FAILED}, watch.began + 1)


def test_the_last_word(watch):
    watch.leave(ENDED)
    assert watch.said == [ENDED]


def test_options_are_read_before_the_command_line_is():
    arguments = ["--config", "x.toml", "--hosts", "a:1,b:1", "--host-index=1"]
    assert _option(arguments, "--hosts") == "a:1,b:1"
    assert _index(arguments) == 1
    assert _option(arguments, "--data") is None


def test_the_guard_tells_a_lost_first_host_from_a_process_that_ended_here():
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = Place(1, 2, (f"127.0.0.1:{server.getsockname()[1]}", "127.0.0.1:1"))
        assert "host 1 (127.0.0.1:1), this one, was ended by SIGABRT" in _ended(place, signal.SIGABRT)
        assert "SIGKILL, for want of memory" in _ended(place, signal.SIGKILL)
    assert _ended(place, signal.SIGABRT).startswith(f"host 0 ({place.addresses[0]}) has died")
