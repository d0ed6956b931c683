"""The command line among folders: what is said, what is written, and how it ends."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest
from typer.testing import CliRunner

from captioner.__main__ import app
from captioner.album.ledger import Ledger
from captioner.album.watching import arrivals
from captioner.errors import ConfigError
from tests.unit.album.conftest import encoded, snapshot


@pytest.fixture(scope="module")
def saved(root):
    """A model with graphs: a folder without would compile a search each time it is loaded."""
    return root / "models" / "shapes"


def call(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments), "--debug"], catch_exceptions=True)


def refused(*arguments) -> str:
    done = call(*arguments)
    assert isinstance(done.exception, ConfigError), done.output
    return str(done.exception)


def test_a_folder_on_stdout(photos, saved):
    (photos / "notes.md").write_text("")
    done = call(photos, "--model", saved)
    assert done.exit_code == 0
    assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [
        str(photos / name) for name in ("a.jpg", "b.png", "deep/c.webp")
    ]
    assert "3 captioned" in done.stderr and "1 skipped (1 no pictures); 0 failed" in done.stderr
    assert not (photos / ".captioner").exists()


def test_write_again_and_undo(photos, saved):
    before = snapshot(photos)
    for words in ("3 captioned", "0 captioned; 3 done before"):
        done = call(photos, "--model", saved, "--write", "txt,html", "--write", "jsonl", "--prefix", "photo of ")
        assert (done.exit_code, done.stdout) == (0, "") and words in done.stderr
    rows = [json.loads(line) for line in (photos / "captions.jsonl").read_text().splitlines()]
    assert all(row["caption"].startswith("photo of ") for row in rows)
    assert f"{rows[0]['caption']}\n" == (photos / "a.txt").read_text()
    done = call(photos, "--undo")
    assert (done.exit_code, snapshot(photos)) == (0, before) and "5 files as they were" in done.stderr


def test_a_list_with_another_folder_for_what_is_written(photos, saved, tmp_path):
    (tmp_path / "list").write_text(f"{photos / 'b.png'}\n{photos / 'none.jpg'}\n")
    done = call("--list", tmp_path / "list", "--model", saved, "--write", "csv", "--out", tmp_path / "out")
    assert done.exit_code == 1 and "none.jpg: does not exist" in done.stderr
    assert str(photos / "b.png") in (tmp_path / "out/captions.csv").read_text()


def test_what_cannot_be_asked_for(photos, saved, tmp_path):
    assert "no pictures were given" in refused()
    assert "captions are written to" in refused(photos, "--model", saved, "--write", "word")
    assert "has no journal" in refused(photos, "--undo")
    assert "say where to" in refused(photos, "--model", saved, "--watch")
    assert "looks at folders" in refused(photos / "a.jpg", "--model", saved, "--watch", "--write", "txt")
    assert "not calibrated" in refused(photos, "--model", saved, "--min-confidence", "0.5")
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(photos, "--model", saved, "--write", "csv", "--out", tmp_path / "file")


def test_names_that_no_file_can_have_are_a_line_and_the_rest_is_done(photos, saved):
    done = call("x" * 300, photos / "a.jpg", "--model", saved, "--write", "txt", "--out", photos)
    assert done.exit_code == 1 and "File name too long" in done.stderr and (photos / "a.txt").exists()


def test_a_memory_that_cannot_be_written_is_a_line(photos, saved, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Ledger, "content", full)
    assert "database or disk is full; the same command goes on" in refused(photos, "--model", saved, "--write", "txt")


def test_arrivals_come_once_and_whole(photos):
    stop, came = threading.Event(), []

    def watch():
        for found in arrivals([photos], (), (), stop):
            came.extend(photo.name for photo in found.photos)

    watching = threading.Thread(target=watch)
    watching.start()
    deadline = time.monotonic() + 60
    number = 0
    while "new0.jpg" not in came and time.monotonic() < deadline:  # the first may come before the watch stands
        (photos / f"new{number}.jpg").write_bytes(encoded())
        number += 1
        time.sleep(3)
    stop.set()
    watching.join(30)
    assert "new0.jpg" in came and len(came) == len(set(came))


@pytest.mark.slow
def test_ctrl_c_ends_with_a_summary_and_the_next_run_goes_on(root, photos, saved):
    for number in range(200):
        (photos / f"{number}.jpg").write_bytes(encoded((number, 200, 9)))
    command = [sys.executable, "-m", "captioner", photos, "--model", saved, "--write", "txt,csv"]
    heeding = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    running = subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    )
    while not list(photos.glob("*.txt")) and running.poll() is None:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGINT)
    out, errors = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, "") and "stopped; the same command goes on" in errors
    done = len(list(photos.rglob("*.txt")))
    assert 0 < done < 203 and len((photos / "captions.csv").read_text().splitlines()) == done + 1
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0 and f"{203 - done} captioned" in ended.stderr and f"{done} done before" in ended.stderr


def test_the_memory_outlives_a_manifest_written_anew(photos, saved, tmp_path):
    model = shutil.copytree(saved, tmp_path / "model")
    manifest = json.loads((model / "manifest.json").read_text())
    graphs = (model / "graphs.json").read_bytes() + b"\n"
    ways = [
        ({}, "3 captioned"),
        ({"versions": {"captioner": "9.9.9"}}, "0 captioned; 3 done before"),
        ({"sha256": {**manifest["sha256"], "graphs.json": hashlib.sha256(graphs).hexdigest()}}, "0 captioned; 3 done"),
    ]
    for changed, words in ways:
        if "sha256" in changed:
            (model / "graphs.json").write_bytes(graphs)
        (model / "manifest.json").write_text(json.dumps({**manifest, **changed}))
        done = call(photos, "--model", model, "--write", "txt")
        assert done.exit_code == 0 and words in done.stderr, done.output
