"""What one visitor may take of the server, in behaviour: `Limits` and `Server` around a page of three routes."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from demo import limits, server
from demo.hosts import Hosts
from demo.limits import UPLOAD, Limits
from demo.server import Server
from tests.loops import run
from tests.visitors import HTTP

PATIENCE = 30  # seconds until a test gives up; none should need one of them
LARGE = 50_000_000  # bytes of an answer, more than the buffers between two processes hold
QUICK = 0.3


class Page:
    """Takes uploads; gives a large answer; lets `/config` wait until `go` is set."""

    def __init__(self):
        self.go, self.come, self.ended = asyncio.Event(), 0, threading.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return
        try:
            self.come += 1
            if scope["path"] == "/config":
                await self.go.wait()
            while scope["method"] == "POST" and (await receive()).get("more_body"):
                pass
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(LARGE // 1_000_000 if scope["path"] == "/" else 1):
                await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.ended.set()


def make(folder) -> Limits:
    return Limits(Page(), str(folder), None, Hosts())


async def ask(of_limits: Limits, path: str, method: str = "GET", pieces=(b"",), **headers: str) -> int:
    """Status of the answer to a request that comes in pieces."""
    left, sent = list(pieces), []
    scope = {"type": "http", "method": method, "path": path}
    scope["headers"] = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def receive():
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    await of_limits(scope, receive, send)
    return sent[0]["status"]


def test_more_at_once_than_there_may_be_are_told_so(tmp_path):
    async def crowd():
        of_limits = make(tmp_path)
        waiting = [asyncio.create_task(ask(of_limits, "/config")) for _ in range(limits.MAX_REQUESTS)]
        await asyncio.sleep(0)
        assert of_limits.app.come == limits.MAX_REQUESTS
        late = await ask(of_limits, "/theme.css"), await ask(of_limits, UPLOAD, "POST")
        assert of_limits.app.come == limits.MAX_REQUESTS
        alive = await ask(of_limits, "/health/ready")
        of_limits.app.go.set()
        return late, alive, set(await asyncio.gather(*waiting)), await ask(of_limits, "/theme.css")

    assert run(crowd()) == ((503, 503), 200, {200}, 200)


def test_uploads_leave_the_disk_its_room(tmp_path, monkeypatch):
    free = limits.MIN_FREE + 1000
    monkeypatch.setattr(limits.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(free, 0, free))
    of_limits = make(tmp_path)
    for length, status in ((1000, 200), (1001, 507)):
        assert run(ask(of_limits, UPLOAD, "POST", content_length=str(length))) == status
    free -= 1001
    assert run(ask(of_limits, UPLOAD, "POST")) == 507  # that does not tell its length
    assert run(ask(of_limits, "/theme.css")) == 200


def test_uploads_are_refused_where_they_would_be_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_STORED", 1000)
    of_limits = make(tmp_path)
    assert run(ask(of_limits, UPLOAD, "POST", content_length="1001")) == 507
    assert of_limits.app.come == 0  # before a byte of it
    assert run(ask(of_limits, UPLOAD, "POST", [bytes(300)] * 3)) == 200
    assert run(ask(of_limits, UPLOAD, "POST", content_length="101")) == 507
    assert run(ask(of_limits, UPLOAD, "POST", [bytes(60)] * 2)) == 507  # as it comes


@pytest.mark.parametrize(("path", "limit"), [(UPLOAD, "MAX_UPLOAD"), ("/gradio_api/queue/join", "MAX_BODY")])
def test_a_body_is_refused_where_it_is_too_long(tmp_path, monkeypatch, path, limit):
    monkeypatch.setattr(limits, limit, 100)
    of_limits = make(tmp_path)
    assert run(ask(of_limits, path, "POST", content_length="101")) == 413
    assert run(ask(of_limits, path, "POST", [bytes(60)] * 2)) == 413
    assert run(ask(of_limits, path, "POST", [b"[]"])) == (200 if path == UPLOAD else 400)


@contextlib.contextmanager
def serving(folder):
    """A server in a thread of its own."""
    ready, listening = threading.Event(), socket.create_server(("127.0.0.1", 0))
    of_limits = make(folder)
    running = Server(of_limits, ready.set)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([listening])))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield SimpleNamespace(
            page=of_limits.app, port=listening.getsockname()[1], server=running, thread=thread, limits=of_limits
        )
    finally:
        running.should_exit = running.force_exit = True
        thread.join(PATIENCE)
        listening.close()
        assert not thread.is_alive()


def connect(running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), PATIENCE)


def wait_until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def all_of(raw: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        parts.extend(iter(lambda: raw.recv(1 << 20), b""))
    return b"".join(parts)


HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-"
WHOLE = b"GET /theme.css HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("begun", [b"", HALF, WHOLE + HALF], ids=["nothing", "half a header", "the next header"])
def test_whoever_sends_no_whole_header_is_cut_off(tmp_path, monkeypatch, begun):
    monkeypatch.setattr(limits, "HEADER_SECONDS", QUICK)
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", QUICK)
    with serving(tmp_path) as running, connect(running) as raw:
        raw.sendall(begun)
        assert all_of(raw).count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")


@pytest.mark.parametrize("limit", ["GAP_SECONDS", "BODY_SECONDS"])
def test_a_body_that_comes_too_slowly_is_refused(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(limits, limit, QUICK)
    head = f"POST {UPLOAD} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".encode()
    with serving(tmp_path) as running, connect(running) as raw:
        raw.sendall(head + b"a")
        stopped = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not stopped.wait(QUICK / 10):
                    raw.sendall(b"a")

        dripping = threading.Thread(target=drip)
        if limit == "BODY_SECONDS":  # never long between two pieces, and without an end
            dripping.start()
        try:
            answer = raw.recv(65536)
        finally:
            stopped.set()
            if dripping.ident:
                dripping.join()
        assert answer.startswith(b"HTTP/1.1 408") and running.page.ended.is_set()


def test_whoever_does_not_take_the_answer_is_cut_off(tmp_path, monkeypatch):
    """The connection too: those that wait to be read took the places of others for good."""
    monkeypatch.setattr(limits, "SEND_SECONDS", QUICK)
    with serving(tmp_path) as running, connect(running) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert running.page.ended.wait(PATIENCE)
        wait_until(lambda: not running.server.server_state.connections)
        assert len(all_of(raw)) < LARGE


def test_connections_beyond_the_last_are_hung_up_on(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 2)
    with serving(tmp_path) as running, connect(running), connect(running):
        with connect(running) as third:
            assert all_of(third) == b""
        assert not running.page.come
    with serving(tmp_path) as running:
        assert HTTP.get(f"http://127.0.0.1:{running.port}/theme.css").status_code == 200


def test_a_stop_waits_no_longer_for_answers_than_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "DRAIN_SECONDS", QUICK)
    with serving(tmp_path) as running, connect(running) as raw:
        raw.sendall(b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: running.page.come)
        running.limits.waiting = 1
        running.server.handle_exit(15, None)
        running.thread.join(PATIENCE)
        assert not running.thread.is_alive()


def test_visitors_are_not_remembered_without_end(tmp_path):
    page = gr.Blocks()
    server.make_server(page, {}, str(tmp_path), lambda: None)
    for number in range(server.KEEP_SESSIONS + 50):
        page.state_holder[f"visitor {number}"]
    remembered = page.state_holder.session_data
    assert len(remembered) == server.KEEP_SESSIONS and f"visitor {server.KEEP_SESSIONS + 49}" in remembered
