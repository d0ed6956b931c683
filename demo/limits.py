"""What one visitor may take of the server: which routes, how many bytes, how much time, how many at once.

ASGI around the whole page, so that it holds before any code of Gradio runs.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import pathlib
import re
import shutil
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from captioner.errors import one_line
from captioner.pictures.uploads import BODY_SECONDS, GAP_SECONDS, MAX_UPLOAD
from demo.hosts import Hosts
from demo.questions import Questions, read_question
from demo.refusals import BROKEN, BUSY, FULL, NONSENSE, NOT_HERE, NOT_UPLOADED, STOPPING, TOO_SLOW, Refused, too_long

MAX_REQUESTS = 600  # at once; a browser that waits for its caption holds two
MAX_CONNECTIONS = 900
MAX_BODY = 4_000_000  # bytes of any other request
MIN_FREE = 500_000_000  # bytes of disk that uploads leave alone
MAX_STORED = 2_000_000_000  # bytes of uploads, those included that are too young to be swept
HEADER_SECONDS = 10.0
SEND_SECONDS = 60.0  # until a visitor takes a piece of an answer

UPLOAD = "/gradio_api/upload"
WAITING = re.compile(r"/gradio_api/(queue/data|call/(v2/)?[^/]+/[^/]+)")  # a visitor waits here for an answer
# What the page and its API need. Of Gradio's other routes some fetch addresses or read files for components that this
# page does not have.
ROUTES = {
    "GET": re.compile(
        r"/(|config/?|theme\.css|favicon\.ico|robots\.txt|manifest\.json|(assets|static|svelte)/.*|health/(live|ready)|card/[^/]+"
        r"|gradio_api/(info/?|openapi\.json|startup-events|upload_progress|heartbeat/[^/]+|queue/data"
        r"|call/(v2/)?[^/]+/[^/]+|file=(?!\w+:/?/?).+|app_id/?))"
    ),
    "POST": re.compile(r"/gradio_api/(upload|queue/join|run/[^/]+/?|cancel|reset/?|call/(v2/)?[^/]+/?)"),
}
ROUTES["HEAD"] = ROUTES["GET"]
ROUTES["OPTIONS"] = re.compile(r"/.*")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"SAMEORIGIN"),
)
# What Gradio and FastAPI would answer with a list of faults, in plain text or not at all.
IN_OUR_WORDS = {503: BUSY, 422: NONSENSE, 500: BROKEN}
BODY_HEADERS = (b"content-length", b"content-type", b"transfer-encoding")
MAX_SHOWN = 200  # letters of a path on stderr
LOG = logging.getLogger("demo")

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Limits:
    """ASGI application around another.

    Args:
        app: what answers.
        folder: where uploads go.
        questions: what it can be asked.
        hosts: under which names.

    Attributes:
        stopping: whether new questions are refused.
        waiting: visitors that wait for an answer.
        stored: bytes of uploads; those that came since the last sweep are added up here.
    """

    def __init__(self, app: Callable, folder: str, questions: Questions, hosts: Hosts):
        self.app, self.folder, self.questions, self.hosts = app, folder, questions, hosts
        self.stopping, self.stored = False, 0
        self.waiting = self._requests = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks WebSocket
            return
        request = _Request(scope, receive, send)
        self._requests += 1
        waits = scope["method"] == "GET" and bool(WAITING.fullmatch(scope["path"]))
        self.waiting += waits
        try:
            self._check(request)
            if scope["method"] == "POST" and scope["path"] != UPLOAD:
                question = read_question(await request.whole_body())
                check_files(question, self.folder)
                request.replace_body(json.dumps(self.questions.checked(scope["path"], question)).encode())
            elif waits:
                self.questions.check_waiting(scope["path"])
            await self.app(scope, request.receive, request.send)
            if request.refused and not request.answered:
                await request.answer(request.refused)
        except Exception as error:
            await self._fail(request, error)
        finally:
            self._requests -= 1
            self.waiting -= waits

    def _check(self, request: _Request) -> None:
        scope = request.scope
        routes = ROUTES.get(scope["method"])
        if routes is None or not routes.fullmatch(scope["path"]):
            raise NOT_HERE
        if scope["path"].startswith("/health/"):
            return
        if self._requests > MAX_REQUESTS:
            raise BUSY
        if scope["method"] == "POST":
            if self.stopping:
                raise STOPPING
            if scope["path"] == UPLOAD:
                request.limit = MAX_UPLOAD
                coming = request.length or 0
                if shutil.disk_usage(self.folder).free < MIN_FREE + coming or self.stored + coming > MAX_STORED:
                    raise FULL
                request.arrived = self._store
            if request.length is not None and request.length > request.limit:
                raise too_long(request.limit)
        self.hosts.check(scope["method"], request.headers)

    def _store(self, count: int) -> None:
        """Count bytes of an upload as they come, since not every request tells its length."""
        self.stored += count
        if self.stored > MAX_STORED:
            raise FULL

    async def _fail(self, request: _Request, error: Exception) -> None:
        if isinstance(error, ClientDisconnect):
            return
        refused = error if isinstance(error, Refused) else request.refused
        if refused is None or refused is BROKEN:
            refused = self._blamed(request, error)
        if not request.answered:
            await request.answer(refused)
        elif request.refused:
            raise ConnectionError  # the answer has begun; all that is left is to hang up

    @staticmethod
    def _blamed(request: _Request, error: Exception) -> Refused:
        """What to say of an error that nobody foresaw."""
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return FULL
        if isinstance(error, (TypeError, ValueError, KeyError)):
            return NONSENSE  # Gradio's way to say that arguments are missing or of another type
        if not (request.answered and WAITING.fullmatch(request.scope["path"])):  # told there that nobody asked
            method, path = request.scope["method"], one_line(request.scope["path"][:MAX_SHOWN])
            LOG.error("%s %s failed: %s", method, path, type(error).__name__)
            LOG.debug("", exc_info=error)
        return BROKEN


def check_files(question: dict[str, Any], folder: str) -> None:
    """See that every file in a question that Gradio would open was uploaded.

    Raises:
        Refused: it is not so.
    """
    waiting, uploads = [question], pathlib.Path(folder).resolve()
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            if "meta" in value and value.get("path") is not None and not _lies_in(value["path"], uploads):
                raise NOT_UPLOADED


def _lies_in(path: Any, folder: pathlib.Path) -> bool:
    try:
        return isinstance(path, str) and pathlib.Path(path).resolve().is_relative_to(folder)
    except (OSError, ValueError, RuntimeError):  # no name that a file can have, or a loop of links
        return False


class _Request:
    """One request, with its bytes and seconds counted."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send):
        self.scope, self._receive, self._send = scope, receive, send
        self.limit, self.answered = MAX_BODY, False
        self.refused: Refused | None = None  # remembered, since Gradio may turn what is raised into something else
        self._kept: bytes | None = None
        self._came, self._end, self._ended = 0, time.monotonic() + BODY_SECONDS, False
        self.arrived: Callable[[int], None] = lambda count: None
        self.headers = dict(scope["headers"])
        length = self.headers.get(b"content-length", b"")
        self.length = int(length) if length.isdigit() else None

    async def whole_body(self) -> bytes:
        """The body; `replace_body` says what `receive` gives instead."""
        parts = []
        while not self._ended:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            parts.append(message.get("body", b""))
        return b"".join(parts)

    def replace_body(self, body: bytes) -> None:
        """Let what answers read another body than came."""
        self._kept, length = body, str(len(body)).encode()
        others = [(name, value) for name, value in self.scope["headers"] if name not in BODY_HEADERS]
        self.scope["headers"] = [*others, (b"content-length", length), (b"content-type", b"application/json")]

    async def receive(self) -> dict[str, Any]:
        if self._kept is not None:
            body, self._kept = self._kept, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._ended:
            return await self._receive()  # waits for the visitor to leave
        try:
            seconds = min(GAP_SECONDS, max(self._end - time.monotonic(), 0.0))
            message = await asyncio.wait_for(self._receive(), seconds)
        except TimeoutError:
            raise self._refuse(TOO_SLOW) from None
        self._came += len(message.get("body", b""))
        self._ended = message["type"] != "http.request" or not message.get("more_body")
        if self._came > self.limit:
            raise self._refuse(too_long(self.limit))
        try:
            self.arrived(len(message.get("body", b"")))
        except Refused as refused:
            raise self._refuse(refused) from None
        return message

    def _refuse(self, refused: Refused) -> Refused:
        self.refused = refused
        return refused

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.refused = self.refused or IN_OUR_WORDS.get(message["status"])
            if self.refused:
                return  # Gradio's own words for it
            self.answered = True
            message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
        elif self.refused and not self.answered:
            return
        await self._send(message)

    async def answer(self, refused: Refused) -> None:
        """Say why not, as JSON under the name that Gradio's own refusals have."""
        body = json.dumps({"detail": refused.text}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *HEADERS]
        if refused.status == 503:
            headers.append((b"retry-after", b"5"))
        self.answered = True
        await self._send({"type": "http.response.start", "status": refused.status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


class ImpatientProtocol(H11Protocol):
    """uvicorn's HTTP with an end to its patience: whoever sends no whole header or takes no answer is cut off."""

    _impatience: asyncio.TimerHandle | None = None
    _untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._wait_for_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._impatience is None:
            self._wait_for_header()

    def pause_writing(self) -> None:
        super().pause_writing()
        # To close it would not do: a connection closes only once the visitor has taken what was sent.
        self._untaken = self.loop.call_later(SEND_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_offering()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_offering()
        super().connection_lost(exc)

    def _wait_for_header(self) -> None:
        self._impatience = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop_offering(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _stop_waiting(self) -> None:
        if self._impatience is not None:
            self._impatience.cancel()
            self._impatience = None
