"""Pieces of work in processes beside each other."""

from __future__ import annotations

import functools
import os

import pytest

from captioner.errors import CaptionerError
from training.comparison.processes import side_by_side


def threads(piece: int) -> tuple[int, str]:
    return os.getpid(), os.environ["TF_NUM_INTRAOP_THREADS"]


def test_every_piece_is_done_once():
    assert sorted(side_by_side(functools.partial(pow, 2), [1, 3, 2, 5], processes=2)) == [2, 4, 8, 32]
    assert list(side_by_side(pow, [], processes=2)) == []


def test_other_processes_have_one_thread_each_and_this_one_keeps_its_own():
    before = dict(os.environ)
    found = list(side_by_side(threads, [0, 1], processes=2))
    assert all(process != os.getpid() and count == "1" for process, count in found)
    assert dict(os.environ) == before


def test_an_error_of_a_piece_comes_through_and_a_process_that_dies_is_one_line():
    with pytest.raises(ZeroDivisionError):
        list(side_by_side(functools.partial(divmod, 1), [0], processes=1))
    with pytest.raises(CaptionerError, match="ended from outside.*give the same command again"):
        list(side_by_side(os._exit, [9], processes=1))
