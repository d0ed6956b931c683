"""Serve the page: an address of its own, health routes, temporary files that do not pile up, an end that loses nobody.

uvicorn around Gradio's page instead of Gradio's own `launch`, which has no limit on requests, no health routes, and
cuts answers off when it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from typing import Any

import fastapi
import fastapi.responses
import gradio as gr
import uvicorn
from starlette.middleware.gzip import GZipMiddleware

from demo.hosts import Hosts
from demo.limits import ImpatientProtocol, Limits
from demo.questions import Questions

KEEP_FILES = 1000  # uploads and photos for the page; the newest are kept
KEEP_BYTES = 1_000_000_000
KEEP_SESSIONS = 1000  # visitors whose page Gradio remembers; each question of a program counts as one
KEEP_SECONDS = 3600.0
IN_USE_SECONDS = 120.0  # no younger file is removed, whatever their number
SWEEP_SECONDS = 10.0
DRAIN_SECONDS = 60.0  # for answers in flight when the server is told to stop
KEEP_ALIVE_SECONDS = 15.0  # between an answer and the next question over the same connection
LINGER_SECONDS = 2.0  # for visitors who have asked and do not listen yet, and for the photos of the last answers


def make_server(
    page: gr.Blocks, options: dict[str, Any], folder: str, ready: Callable[[], None], hosts: Iterable[str] = ()
) -> Server:
    """The server of a page.

    Args:
        page: what is served at "/".
        options: arguments of `launch` that belong to the page.
        folder: where uploads go.
        ready: called once it answers.
        hosts: names that it goes by, besides those of this machine.
    """
    own = frozenset(path for path in pathlib.Path(folder).rglob("*") if path.is_file())  # such as the examples

    @contextlib.asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep_for_ever(pathlib.Path(folder), page, own, limits))
        yield
        sweeping.cancel()

    app = fastapi.FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    limits = Limits(_packed(app), folder, Questions(page), Hosts(hosts))

    @app.get("/health/live")
    def is_live() -> dict[str, str]:
        return {"status": "live"}

    @app.get("/health/ready")
    def is_ready(response: fastapi.Response) -> dict[str, str]:
        if limits.stopping:
            response.status_code = 503
        return {"status": "stopping" if limits.stopping else "ready"}

    @app.get("/card/{name}")
    def card(name: str) -> fastapi.responses.PlainTextResponse:
        text = page.card(name)
        return fastapi.responses.PlainTextResponse(text or "There is no such card.", 200 if text else 404)

    page.state_session_capacity = KEEP_SESSIONS  # 10,000 in Gradio 6.31, each with a copy of the page's description
    mounted = {name: value for name, value in options.items() if name != "share"}
    gr.mount_gradio_app(app, page, path="/", show_error=False, **mounted)
    # Only `launch` sets this, and without it Gradio 6.31 copies any file of the machine that a request names to where
    # it can be fetched.
    page.has_launched = True
    return Server(limits, ready)


def _packed(app: Callable) -> Callable:
    """The same, with the page gzipped: half of it are the viewers' scripts, once for each. Gradio packs the rest."""
    packed = GZipMiddleware(app, compresslevel=4)

    async def answer(scope: dict[str, Any], receive: Callable, send: Callable) -> None:
        is_page = scope["type"] == "http" and scope["path"] == "/"
        await (packed if is_page else app)(scope, receive, send)

    return answer


class Server(uvicorn.Server):
    """uvicorn that, told to stop, refuses new questions, answers those it has, and then goes.

    Args:
        limits: what answers.
        ready: called once it does.
    """

    def __init__(self, limits: Limits, ready: Callable[[], None]):
        self.limits, self.ready = limits, ready
        super().__init__(
            uvicorn.Config(
                limits,
                http=ImpatientProtocol,
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=2,
            )
        )

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self.limits.stopping:  # a second signal: at once
            self.should_exit = self.force_exit = True
            return
        self.limits.stopping = True
        self._loop.call_soon_threadsafe(lambda: setattr(self, "_drain", asyncio.ensure_future(self._stop_when_idle())))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready()

    async def _stop_when_idle(self) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        idle = time.monotonic()
        while time.monotonic() < min(idle + LINGER_SECONDS, end):
            await asyncio.sleep(0.05)
            if self.limits.waiting:
                idle = time.monotonic()
        self.should_exit = True


async def _sweep_for_ever(folder: pathlib.Path, page: gr.Blocks, own: Collection[pathlib.Path], limits: Limits) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        before = limits.stored
        removed, kept_bytes = await asyncio.to_thread(sweep, folder, own)
        page.upload_file_set.difference_update(removed)
        limits.stored += kept_bytes - before  # what has come meanwhile stays counted


def sweep(folder: pathlib.Path, own: Collection[pathlib.Path] = ()) -> tuple[list[str], int]:
    """Remove the oldest files of a folder, as far as there are too many, and empty folders.

    That includes what visitors who left halfway began to upload.

    Args:
        folder: of uploads.
        own: files of the page itself, which stay.

    Returns:
        What was removed, and how many bytes of visitors are left.
    """
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            status = path.lstat()
            if not path.is_dir() and path not in own:
                found.append((status.st_mtime, status.st_size, path))
    found.sort(reverse=True, key=lambda entry: entry[0])
    removed, kept_bytes, left, now = [], 0, 0, time.time()
    for place, (changed, size, path) in enumerate(found):
        kept_bytes += size
        too_many = place >= KEEP_FILES or kept_bytes > KEEP_BYTES or now - changed > KEEP_SECONDS
        if too_many and now - changed > IN_USE_SECONDS:
            with contextlib.suppress(OSError):
                path.unlink()
                removed.append(str(path))
                continue
        left += size
    for path in folder.rglob("*"):
        if path.is_dir() and now - path.stat().st_mtime > IN_USE_SECONDS:
            with contextlib.suppress(OSError):
                path.rmdir()
    return removed, left
