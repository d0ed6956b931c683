"""The command line among files that nobody chose: one line each, exit status as promised, nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest
from PIL import Image

from tests import pictures

COMMAND = [sys.executable, "-m", "captioner", "--model", "models/shapes"]


def run(root, *arguments, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 300} | options
    return subprocess.run([*COMMAND, *map(os.fsencode, arguments)], cwd=root, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Odd pictures of every kind under odd names."""
    folder = tmp_path_factory.mktemp("odd")
    for odd in list(pictures.all_pictures())[::9]:
        (folder / odd.name).write_bytes(odd.data)
    good = pictures.encode(pictures.base(), "JPEG")
    for name in (
        b"line\nbreak.jpg",
        b"red\x1b[31m.jpg",
        b"latin-\xe9.jpg",
        b"...jpg",
        b"tab\tand space.jpg",
        b"\xe2\x80\xae.jpg",
    ):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            file.write(good)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    return folder


@pytest.mark.slow
def test_a_folder_of_odd_pictures(root, folder, tmp_path):
    names = sorted(os.listdir(os.fsencode(folder)))
    paths = [os.path.join(os.fsencode(folder), name) for name in names]
    done = run(root, *paths, "/dev/null", "no-such-file.jpg", "--format", "jsonl", "--masks", tmp_path / "masks")
    assert done.returncode == 1
    rows, lines = [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode().splitlines()
    assert len(rows) + len(lines) == len(paths) + 2
    assert all(line.startswith("captioner: ") and line.isprintable() for line in lines)
    assert not any("Traceback" in line or "masks of" in line for line in lines)
    captioned = {os.path.basename(os.fsencode(row["image"])) for row in rows}
    odd = {odd.name.encode(): odd.verdict for odd in pictures.all_pictures()}
    for name in names:
        if odd.get(name) in (pictures.GOOD, pictures.BAD):
            assert (name in captioned) == (odd[name] == pictures.GOOD), name
    assert {b"line\nbreak.jpg", b"latin-\xe9.jpg", b"...jpg"} <= captioned
    assert sorted(path.name for path in tmp_path.iterdir()) == ["masks"]  # "...jpg" led nowhere else


@pytest.mark.slow
def test_names_stay_on_their_line_in_text(root, folder):
    done = run(root, os.fsencode(folder) + b"/line\nbreak.jpg", os.fsencode(folder) + b"/latin-\xe9.jpg")
    assert (done.returncode, done.stderr) == (0, b"")
    first, second = done.stdout.decode().splitlines()
    assert first.split("\t")[0].endswith(r"/line\nbreak.jpg") and second.split("\t")[0].endswith(r"/latin-\udce9.jpg")


@pytest.mark.slow
def test_a_full_disk_behind_stdout_is_one_line(root, photo):
    with open("/dev/full", "wb") as full:
        done = run(root, photo, stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["captioner: cannot write: No space left on device"]


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error(root, photo):
    reading, writing = os.pipe()
    os.close(reading)
    done = run(root, photo, photo, "--format", "jsonl", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.slow
def test_masks_that_do_not_fit_on_the_disk(root, photo, tmp_path):
    """Files of more than 6,000 bytes cannot be written: a line for each picture, no half of a mask under its name."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
    done = run(root, photo, photo, "--masks", tmp_path / "masks", preexec_fn=limit)
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 2
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 2 and all("masks of" in line and "File too large" in line for line in lines)
    for path in (tmp_path / "masks").rglob("*.png"):
        Image.open(path).load()


@pytest.mark.slow
def test_masks_in_a_place_that_is_none(root, photo, tmp_path):
    (tmp_path / "file").write_text("")
    done = run(root, photo, "--masks", tmp_path / "file")
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "cannot be written to" in line


@pytest.mark.slow
def test_the_whole_story_with_debug(root, photo, tmp_path):
    done = run(root, photo, "--model", tmp_path, "--debug")
    assert done.returncode != 0 and b"Traceback" in done.stderr and b"manifest.json is missing" in done.stderr


@pytest.mark.slow
def test_ctrl_c(root, photo):
    heeding = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests that run in the background ignore it
    running = subprocess.Popen(
        [*COMMAND, *[str(photo)] * 20_000],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heeding,
    )
    running.stdout.readline()
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, b"")
