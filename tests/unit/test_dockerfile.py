"""The Dockerfile of the page: its style, and that what it copies is there and let in."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HADOLINT = pathlib.Path(sys.executable).with_name("hadolint")


@pytest.mark.skipif(not HADOLINT.exists(), reason="hadolint is not installed")
def test_hadolint_finds_no_fault(root):
    done = subprocess.run([HADOLINT, root / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_let_in(root):
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    ignored = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*" and {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((root / name).exists() for name in copied)


def test_it_runs_as_nobody_special_and_says_how_it_is(root):
    lines = (root / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (user,) = (line.split()[1] for line in lines if line.startswith("USER "))
    assert user not in ("root", "0")
    assert any(line.startswith("HEALTHCHECK ") for line in lines) and "--require-hashes" in "".join(lines)
