"""What the demo's server keeps, for how long, and what it tells of strangers."""

from __future__ import annotations

import json
import logging
import os
import re
import time

import pytest

from demo.__main__ import _OneLine
from demo.server import IN_USE_SECONDS, KEEP_BYTES, KEEP_SECONDS, SWEEP_SECONDS, sweep
from tests.visitors import API, HTTP, Visitor, client, demo, file_data, run_apart


def test_the_photos_of_the_page_itself_stay(tmp_path):
    now = time.time()
    for name in ("example.jpg", "visitor.jpg"):
        (tmp_path / name).write_bytes(b"xy")
        os.utime(tmp_path / name, (now - 9000, now - 9000))
    removed, left = sweep(tmp_path, own={tmp_path / "example.jpg"})
    assert removed == [str(tmp_path / "visitor.jpg")] and left == 0
    assert (tmp_path / "example.jpg").exists()


def test_uploads_of_too_many_bytes_go_the_oldest_first(tmp_path):
    for age in range(4):
        with (tmp_path / f"{age}.jpg").open("wb") as file:
            file.truncate(KEEP_BYTES // 2)
        os.utime(tmp_path / f"{age}.jpg", (time.time() - IN_USE_SECONDS * age - 1,) * 2)
    removed, left = sweep(tmp_path)
    assert sorted(removed) == [str(tmp_path / "2.jpg"), str(tmp_path / "3.jpg")] and left == KEEP_BYTES // 2 * 2


def test_the_examples_outlive_the_hour(running):
    """Thumbnails that could not be fetched any more, and a click on one that said the photo is no longer here."""
    config = json.dumps(HTTP.get(f"{running.address}/config", timeout=60).json())
    examples = {path for path in re.findall(r'"path": "([^"]+[.]jpg)"', config) if str(running.uploads) in path}
    assert len(examples) >= 5
    stranger = next(iter(running.uploads.glob("*/uploads"))) / "stranger.jpg"
    stranger.write_bytes(b"x")
    for path in (*examples, stranger):
        os.utime(path, (time.time() - 2 * KEEP_SECONDS,) * 2)
    end = time.monotonic() + 6 * SWEEP_SECONDS
    while stranger.exists() and time.monotonic() < end:
        time.sleep(0.5)
    assert not stranger.exists()
    for path in examples:
        assert HTTP.get(f"{running.address}{API}/file={path}", timeout=60).status_code == 200


def test_a_line_of_the_log_is_one_line_without_control_sequences():
    record = logging.makeLogRecord({"msg": "POST %s failed", "args": ("\x1b[31mRED\n\0\u202e" + "x" * 5000,)})
    line = _OneLine("demo: %(message)s").format(record)
    assert line.startswith(r"demo: POST \x1b[31mRED\n\x00\u202exxx") and len(line) < 600 and line.isprintable()


def test_pages_of_others_are_not_served(running, photo_bytes):
    for headers in ({"host": "evil.example"}, {"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        sent = HTTP.post(
            f"{running.address}{API}/upload", files={"files": ("a.jpg", photo_bytes)}, headers=headers, timeout=30
        )
        assert sent.status_code in (403, 421) and "--allow-host" in sent.json()["detail"]
    assert HTTP.get(f"{running.address}/config", headers={"host": "evil.example"}, timeout=60).status_code == 421


def test_nothing_is_left_among_temporary_files(running, photo_bytes):
    async def ask():
        async with client(running) as of_httpx:
            return await Visitor(of_httpx).caption(photo_bytes)

    assert run_apart(ask()).caption
    assert not list(running.temporary.iterdir())


@pytest.mark.slow
def test_keras_leaves_nothing_among_temporary_files(tmp_path):
    """Four files of TensorFlow's stayed there after each start."""
    with demo(tmp_path, "models/shapes", "--runtime", "keras") as running:
        assert HTTP.get(f"{running.address}/health/ready", timeout=60).status_code == 200
        assert not list(running.temporary.iterdir())
    assert not list(running.uploads.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnx", "keras"])
def test_three_hundred_different_questions_take_no_more_memory_than_a_few(tmp_path, photo_bytes, runtime):
    """Each pair of beam width and longest caption took 30 to 90 MB for good."""
    widths = [("beam", width) for width in range(1, 21)] + [("diverse", width) for width in range(1, 6)]
    asked = [
        {"strategy": strategy, "beam_width": width, "max_words": length}
        for strategy, width in widths
        for length in range(1, 13)
    ]
    assert len(asked) == 300

    async def ask(running):
        async with client(running) as of_httpx:
            visitor = Visitor(of_httpx)
            photo = file_data((await visitor.upload(photo_bytes)).json()[0])
            assert (await visitor.ask(photo)).caption
            start = running.memory()
            for arguments in asked:
                answer = await visitor.ask(photo, **arguments)
                assert len(answer.caption["words"]) <= arguments["max_words"]
            return running.memory() - start

    with demo(tmp_path, "models/shapes", "--runtime", runtime) as running:
        assert run_apart(ask(running)) < 800
