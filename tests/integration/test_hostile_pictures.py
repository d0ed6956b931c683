"""Odd and hostile pictures through the library: refused or captioned, nothing in between."""

from __future__ import annotations

import subprocess
import sys

import pytest

from captioner import ImageError
from captioner.pictures import reading
from captioner.pictures.reading import read_picture
from tests import pictures
from tests.pictures import BAD, GOOD, ORACLE


@pytest.fixture(scope="module")
def odd_pictures():
    return list(pictures.all_pictures())


def test_there_are_as_many_as_is_said(odd_pictures, root):
    assert f"makes {len(odd_pictures)} odd and hostile pictures" in (root / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore")  # Pillow tells of damaged tags
def test_each_is_read_or_refused_as_it_should_be(odd_pictures, monkeypatch):
    monkeypatch.setattr(reading, "MAX_SECONDS", 1.5)
    wrong = []
    for odd in odd_pictures:
        reason = pictures.pillow_reports(odd.data) if odd.verdict == ORACLE else None
        wanted = BAD if reason else GOOD if odd.verdict == ORACLE else odd.verdict
        try:
            read_picture(odd.data)
            answer, said = GOOD, ""
        except ImageError as error:
            answer, said = BAD, str(error)
        if answer != wanted or "\n" in said:
            wrong.append(f"{odd.name}: {answer} and not {wanted}: {said or reason}")
    assert len(odd_pictures) > 300
    assert not wrong, "\n".join(["", *wrong])


CHILD = """
import pathlib, resource, sys
from captioner.pictures.reading import read_picture
from captioner import ImageError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        read_picture(path)
    except ImageError:
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000)
"""


def test_bombs_cost_no_memory_worth_the_name(odd_pictures, root, tmp_path):
    names = {odd.name for odd in pictures.bombs()} - {"bomb-scans.jpg"}  # that one costs time
    for odd in odd_pictures:
        if odd.name in names:
            (tmp_path / odd.name).write_bytes(odd.data)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 150, f"{done.stdout} MB"


def test_memory_that_is_short_is_one_line(root, tmp_path):
    """77 megapixels in a process that may have 400 MB."""
    path = tmp_path / "large.png"
    path.write_bytes(pictures.png(8800, 8800, bytes(8800 * (8800 * 3 + 1)), colours=2))
    code = (
        "import resource, sys, captioner.pictures.reading as r\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400_000_000,) * 2)\n"
        "try: r.read_picture(sys.argv[1])\n"
        "except r.ImageError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], cwd=root, capture_output=True, text=True, timeout=60)
    assert "there is not enough memory to " in done.stdout, done.stderr  # read it or decode it
