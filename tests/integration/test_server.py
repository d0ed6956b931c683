"""The server between the page and strangers: what it serves, what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from demo.limits import MAX_BODY, MAX_UPLOAD
from demo.place import bind, own_folder
from demo.server import KEEP_FILES, sweep
from tests import pictures
from tests.quick import quick
from tests.visitors import API, HTTP, Visitor, client, demo, file_data, run_apart


def visit(running, what):
    """Run a coroutine function of a visitor."""

    async def with_client():
        async with client(running) as of_httpx:
            return await what(Visitor(of_httpx))

    return run_apart(with_client())


def get(running, path: str, **options) -> httpx.Response:
    return HTTP.get(f"{running.address}{path}", timeout=60, **options)


def test_health(running):
    assert (get(running, "/health/live").status_code, get(running, "/health/ready").json()) == (
        200,
        {"status": "ready"},
    )


def test_the_page_comes_with_headers_that_guard_it(running):
    answer = get(running, "/")
    assert answer.status_code == 200 and "gradio" in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


def test_the_page_travels_packed_where_it_may(running):
    with HTTP.stream("GET", f"{running.address}/", headers={"accept-encoding": "gzip"}) as packed:
        assert packed.headers["content-encoding"] == "gzip" and int(packed.headers["content-length"]) < 150_000
        page = "".join(packed.iter_text())
    plain = get(running, "/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and len(plain.content) == len(page.encode())


def test_a_photo_is_captioned(running, photo_bytes):
    answer = visit(running, lambda visitor: visitor.caption(photo_bytes))
    assert answer.caption["words"] and answer.caption["size"] == [240, 180]


SECRETS = ["/etc/passwd", "/proc/self/environ", "demo/__main__.py", "models/shapes/manifest.json", "pyproject.toml"]
WAYS = [
    "{path}",
    "/{path}",
    "../../../../../../{path}",
    "%2e%2e/%2e%2e/%2e%2e/{path}",
    "..%2f..%2f..%2f..%2f{path}",
    "%252e%252e%252f{path}",
    "....//....//{path}",
    "{uploads}/../../../../../../{path}",
    "{uploads}/%2e%2e/%2e%2e/{path}",
    "{path}%00.jpg",
    "file://{path}",
    "FILE:{path}",
    "\\\\{path}",
]


@pytest.mark.parametrize("prefix", [f"{API}/file=", f"{API}/file/", "/file=", "/static/", "/assets/", "/svelte/", "/"])
def test_no_path_leads_to_a_file_of_the_server(running, root, prefix):
    for secret in SECRETS:
        path = secret if secret.startswith("/") else str(root / secret)
        for way in WAYS:
            target = way.format(path=path.lstrip("/") if ".." in way else path, uploads=running.uploads)
            with socket.create_connection(("127.0.0.1", running.port), 30) as raw:  # httpx would tidy the path up
                raw.sendall(f"GET {prefix}{target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                answer = b"".join(iter(lambda raw=raw: raw.recv(65536), b""))
            status = int(answer.split(b" ", 2)[1])
            assert status in (400, 403, 404), f"{prefix}{target}: {status}"
            assert b"root:" not in answer and b"format_version" not in answer and b"build-system" not in answer


@pytest.mark.parametrize("address", ["http://{own}", "http://169.254.169.254/latest", "https://example.com/a.jpg"])
@pytest.mark.parametrize("route", [f"{API}/file=", f"{API}/proxy=", "/proxy=", f"{API}/file=%20", f"{API}/file=//"])
def test_no_route_fetches_an_address(running, address, route):
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.listen()
        own.settimeout(0.3)
        target = address.format(own=f"127.0.0.1:{own.getsockname()[1]}/x.jpg")
        assert get(running, f"{route}{target}").status_code in (400, 403, 404)
        with pytest.raises(TimeoutError):
            own.accept()


@pytest.mark.parametrize(
    "photo",
    [
        file_data("/etc/passwd"),
        {"path": "/etc/passwd"},
        {"path": "{root}/demo/examples/dog.jpg"},
        file_data("{root}/demo/examples/dog.jpg", is_stream=False),
        file_data("{uploads}/../../../../../../etc/passwd"),
        file_data("http://127.0.0.1:{own}/x.jpg"),
        {"url": "http://127.0.0.1:{own}/x.jpg", "path": "x.jpg", "meta": {"_type": "gradio.FileData"}},
        file_data("http://example.com/x.jpg"),
        {"list": [{"deep": file_data("/etc/passwd")}]},
        file_data("data:image/png;base64,AAAA"),
        file_data(""),
        file_data("a\0b"),
        {"path": ["/etc/passwd"]},
        {"path": {"path": "/etc/passwd"}},
        "/etc/passwd",
        "http://127.0.0.1:{own}/x.jpg",
        [],
        None,
        3,
    ],
    ids=str,
)
def test_a_photo_that_was_not_uploaded_is_refused_in_words(running, root, photo):
    with socket.socket() as own:
        own.bind(("127.0.0.1", 0))
        own.listen()
        own.settimeout(0.3)
        text = json.dumps(photo).replace("{root}", str(root)).replace("{uploads}", str(running.uploads))
        text = text.replace("{own}", str(own.getsockname()[1]))
        answer = visit(running, lambda visitor: visitor.ask(json.loads(text)))
        assert answer.caption is None
        assert "Traceback" not in str(answer.refusal) and "root:" not in str(answer.refusal)
        if "meta" in text:
            assert (answer.status, answer.refusal) == (403, "That photo was not uploaded; upload it first.")
        elif answer.status == 200:
            assert answer.refusal and "photo" in answer.refusal
        with pytest.raises(TimeoutError):
            own.accept()


@pytest.mark.parametrize(
    "path",
    [
        f"{API}/component_server", f"{API}/process_recording", f"{API}/vibe-edit/",
        f"{API}/token", "/login", "/monitoring", f"{API}/deep_link", f"{API}/dev/reload", f"{API}/runs",
    ],
)  # fmt: skip
def test_routes_that_the_page_does_not_need_are_shut(running, path):
    for method in ("GET", "POST", "PUT", "DELETE", "TRACE"):
        answer = HTTP.request(method, f"{running.address}{path}", timeout=30)
        assert answer.status_code in (404, 405), f"{method} {path}: {answer.status_code}"


def test_nobody_passes_by_the_queue(running):
    dependencies = get(running, "/config").json()["dependencies"]
    queued = [
        dependency["id"] for dependency in dependencies if dependency["backend_fn"] and dependency["queue"] is not False
    ]
    assert len(queued) > 5
    for function in queued:
        answer = HTTP.post(f"{running.address}{API}/run/predict", json={"fn_index": function, "data": []}, timeout=30)
        assert answer.status_code == 404, f"function {function}: {answer.text}"


def test_too_much_at_once_is_refused_before_it_comes(running):
    for path, limit in ((f"{API}/upload", MAX_UPLOAD), (f"{API}/queue/join", MAX_BODY)):
        with socket.create_connection(("127.0.0.1", running.port), 30) as raw:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {limit + 1}\r\n"
            raw.sendall(f"{head}Content-Type: multipart/form-data; boundary=x\r\n\r\n".encode())
            answer = b""
            while b"smaller photos" not in answer:
                more = raw.recv(65536)
                assert more, answer
                answer += more
        assert answer.startswith(b"HTTP/1.1 413") and b"send fewer or smaller photos" in answer


def test_too_much_without_a_length_is_refused_as_it_comes(running):
    def endless():
        for sent in itertools.count():
            yield b"[" * 65536
            if sent > 100:  # more than is let in: a processor that is kept busy from here on shows nothing
                time.sleep(0.01)

    with httpx.Client(base_url=running.address, timeout=60, verify=False) as of_httpx:
        try:
            answer = of_httpx.post(f"{API}/queue/join", content=endless())
            assert answer.status_code == 413
        except (httpx.WriteError, httpx.ReadError, httpx.RemoteProtocolError):
            pass  # hung up on, which is an answer to somebody who never ends
    assert get(running, "/health/ready").status_code == 200


def test_a_file_of_too_many_megabytes_is_refused_in_words(running):
    answer = visit(running, lambda visitor: visitor.caption(b"\xff\xd8\xff" + bytes(21_000_000)))
    assert answer.status == 413 and "size" in answer.refusal
    left = [path for path in running.files() if path.stat().st_size > 10_000_000]
    assert not left


@pytest.mark.parametrize(
    "body", ["[" * 100_000, "{", "null", '{"data": 3}', '{"data": []}', '{"fn_index": 1e99}', "\0"]
)
def test_nonsense_is_refused_and_changes_nothing(running, photo_bytes, body):
    for path in ("/queue/join", "/call/caption", "/call/v2/caption", "/cancel", "/upload"):
        answer = HTTP.post(
            f"{running.address}{API}{path}", content=body, headers={"content-type": "application/json"}, timeout=30
        )
        assert answer.status_code >= 400 or "event_id" in answer.text, answer.text
        assert "Traceback" not in answer.text
    assert visit(running, lambda visitor: visitor.caption(photo_bytes)).caption


def test_a_name_is_shown_as_text(running):
    name = "<img src=x onerror=alert(1)>.png"
    answer = visit(running, lambda visitor: visitor.caption(b"no picture", name))
    assert "is not a picture" in answer.refusal and "<img" not in answer.refusal
    assert str(running.uploads) not in answer.refusal


def test_a_page_that_was_uploaded_is_not_shown_as_one(running):
    """An upload can be fetched by who knows its name; a browser must not run what is in it."""
    data = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    for name in ("page.html", "drawing.svg", "code.js", "photo.jpg"):
        path = visit(running, lambda visitor, name=name: visitor.upload(data, name)).json()[0]
        answer = get(running, f"{API}/file={path}")
        assert answer.headers["x-content-type-options"] == "nosniff"
        shown = "attachment" not in answer.headers.get("content-disposition", "")
        assert not shown or answer.headers["content-type"].startswith("image/jpeg")


@pytest.mark.parametrize("every", quick([24], [24, 8]))
def test_odd_pictures_through_the_page(running, every):
    """Each is captioned or refused in words, as the library does."""
    chosen = list(pictures.all_pictures())[::every]

    async def all_of(visitor):
        return await asyncio.gather(*(visitor.caption(odd.data, odd.name) for odd in chosen))

    for odd, answer in zip(chosen, visit(running, all_of), strict=True):
        assert (answer.caption is None) != (answer.refusal is None), odd.name
        if odd.verdict == pictures.GOOD:
            assert answer.caption, f"{odd.name}: {answer.refusal}"
        if odd.verdict == pictures.BAD:
            assert answer.refusal and odd.name in answer.refusal, odd.name


def test_visitors_who_leave_and_who_dawdle_hold_nobody_up(running, photo_bytes):
    bad = []
    for i in range(40):
        raw = socket.create_connection(("127.0.0.1", running.port), 30)
        if i % 4 == 0:
            raw.sendall(b"GET / HTTP/1.1\r\nHost:")
        else:
            raw.sendall(f"POST {API}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999\r\n".encode())
            raw.sendall(b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n")
            raw.sendall(b'Content-Disposition: form-data; name="files"; filename="a.jpg"\r\n\r\nabc')
        if i % 2:
            raw.close()
        bad.append(raw)
    start = time.perf_counter()
    answers = visit(running, lambda visitor: _gather(visitor.caption(photo_bytes) for _ in range(5)))
    assert all(answer.caption for answer in answers)
    assert time.perf_counter() - start < 30
    for raw in bad:
        raw.close()


async def _gather(waiting):
    return await asyncio.gather(*waiting)


@pytest.mark.slow
def test_a_header_that_never_ends_is_cut_off(running):
    with socket.create_connection(("127.0.0.1", running.port), 40) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-")
        start = time.perf_counter()
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(100) == b""
        assert 5 < time.perf_counter() - start < 30


def test_a_second_start_says_that_the_port_is_taken(running, root):
    command = [sys.executable, "-m", "demo", "--model", "models/shapes", "--port", str(running.port)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"cannot listen on 127.0.0.1:{running.port}: something else does" in line


def test_a_model_that_cannot_be_read_is_one_line(root, tmp_path):
    command = [sys.executable, "-m", "demo", "--model", str(tmp_path), "--port", "0"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2


def test_nothing_but_our_own_lines_on_stderr(running):
    """After everything above."""
    assert running.errors.read_text() == ""


@pytest.mark.slow
def test_sigterm_lets_answers_in_flight_finish(tmp_path, photo_bytes):
    with demo(tmp_path) as running:

        async def ask_and_stop():
            async with client(running) as of_httpx:
                visitor = Visitor(of_httpx)
                path = (await visitor.upload(photo_bytes)).json()[0]
                asked = [asyncio.create_task(visitor.ask(file_data(path))) for _ in range(20)]
                await asyncio.sleep(0.3)
                os.kill(running.process.pid, signal.SIGTERM)
                await asyncio.sleep(0.1)
                late = await visitor.caption(photo_bytes)
                ready = await of_httpx.get("/health/ready")
                return await asyncio.gather(*asked), late, ready

        answers, late, ready = run_apart(ask_and_stop())
        # Whoever was let in gets an answer; the rest is told why not.
        lost = [answer for answer in answers if answer.caption is None and answer.status != 503]
        assert not lost and any(answer.caption for answer in answers)
        assert (late.status, ready.status_code) == (503, 503) and "stopping" in late.refusal
        assert running.process.wait(60) == 0
        assert running.errors.read_text() == ""
        assert not list(running.uploads.iterdir())


@pytest.mark.slow
def test_sigterm_while_graphs_are_compiled(tmp_path):
    with demo(tmp_path, "models/photos") as running:  # whose graphs take longer than the server's end
        assert get(running, "/health/live").status_code == 200
        os.kill(running.process.pid, signal.SIGTERM)
        assert running.process.wait(60) == 0
        assert not list(running.uploads.iterdir())


def test_addresses_that_cannot_be():
    from captioner import ConfigError

    for host in ("no.such.host.invalid", "256.1.1.1", "a" * 300):
        with pytest.raises(ConfigError, match="cannot listen on"):
            bind(host, 0)
    with bind("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="something else does"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_old_uploads_are_swept_and_young_ones_stay(tmp_path):
    now = time.time()
    for i in range(KEEP_FILES + 50):
        (tmp_path / f"{i}.jpg").write_bytes(b"x")
        os.utime(tmp_path / f"{i}.jpg", (now - 200 - i, now - 200 - i))
    (tmp_path / "hour").mkdir()
    (tmp_path / "hour" / "old.jpg").write_bytes(b"x")
    os.utime(tmp_path / "hour" / "old.jpg", (now - 4000, now - 4000))
    (tmp_path / "young.jpg").write_bytes(b"x")
    removed, _ = sweep(tmp_path)
    left = {path.name for path in tmp_path.glob("*.jpg")}
    assert len(left) == KEEP_FILES and "young.jpg" in left and "0.jpg" in left
    assert str(tmp_path / "hour" / "old.jpg") in removed


def test_the_folder_of_uploads_goes_with_the_process(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "a"))
    with own_folder() as folder:
        assert os.environ["GRADIO_TEMP_DIR"] == folder and os.stat(folder).st_mode & 0o77 == 0
    assert not list((tmp_path / "a").iterdir())
