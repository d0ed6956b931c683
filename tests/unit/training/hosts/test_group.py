"""What one process does where several might take part, and how they share."""

from __future__ import annotations

import pathlib

import pytest

from captioner.errors import ConfigError
from training.hosts.group import ALONE, Hosts


def hosts(index: int, count: int, devices: int | None = None) -> Hosts:
    group = Hosts()
    group.index, group.count, group.devices = index, count, devices or count
    return group


def test_alone():
    assert ALONE.leads
    assert ALONE.gather({"a": 1}) == [{"a": 1}]
    assert ALONE.agree(lambda: 7) == 7
    assert ALONE.share(80) == slice(0, 80)
    with ALONE.one_first(), ALONE.scope():
        ALONE.wait()


def test_shares_are_the_batch():
    rows = list(range(12))
    assert [row for index in range(4) for row in rows[hosts(index, 4).share(12)]] == rows


def test_an_uneven_batch_is_refused():
    with pytest.raises(ConfigError, match="80 rows .* 6 devices on 3 hosts.*multiple of 6"):
        hosts(0, 3, 6).share(80)


def test_a_file_that_does_not_appear_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("training.hosts.group.VISIBLE", 0.1)
    (tmp_path / "here").touch()
    ALONE.see([tmp_path / "here"])
    with pytest.raises(ConfigError, match="missing was written on another host"):
        ALONE.see([pathlib.Path(tmp_path / "missing")])
