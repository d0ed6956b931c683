"""How much a request may hold, how long it may take to arrive, and how many may be there at once."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from captioner.pictures.uploads import BODY_SECONDS, GAP_SECONDS, MAX_UPLOAD

RETRY_SECONDS = 2  # until a refused client should ask again

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Refused(Exception):
    """A request that goes no further: its status, and what the sender is told."""

    def __init__(self, status: int, text: str):
        super().__init__(status, text)
        self.status, self.text = status, text


def busy() -> Refused:
    """More questions than may wait."""
    return Refused(503, "the service is busy; ask again in a moment")


class BodyLimits:
    """ASGI application around another: bodies are bounded before any of its code runs.

    Args:
        app: what answers.
        most: requests at once.
    """

    def __init__(self, app: Callable, most: int = 256):
        self.app, self.most, self.open = app, most, 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        body = _Body(receive)
        self.open += 1
        try:
            if self.open > self.most:
                raise busy()
            length = dict(scope["headers"]).get(b"content-length", b"")
            if length.isdigit() and int(length) > MAX_UPLOAD:
                raise too_long(MAX_UPLOAD)
            parts = await body.read()
            await self.app(scope, _replayed(parts, receive), send)
        except Refused as refused:
            await refuse(send, refused)
        finally:
            self.open -= 1


class _Body:
    def __init__(self, receive: Receive):
        self._receive, self._end = receive, time.monotonic() + BODY_SECONDS

    async def read(self) -> bytes:
        """The whole body.

        Raises:
            Refused: it is too long, or takes too long.
        """
        parts, length = [], 0
        while True:
            try:
                seconds = min(GAP_SECONDS, max(self._end - time.monotonic(), 0.0))
                message = await asyncio.wait_for(self._receive(), seconds)
            except TimeoutError:
                raise Refused(408, "the photo took too long to arrive; send it again") from None
            if message["type"] != "http.request":
                raise Refused(400, "the request ended before its body")
            parts.append(message.get("body", b""))
            length += len(parts[-1])
            if length > MAX_UPLOAD:
                raise too_long(MAX_UPLOAD)
            if not message.get("more_body"):
                return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> dict[str, Any]:
        return waiting.pop() if waiting else await receive()

    return again


def too_long(limit: int) -> Refused:
    """More bytes than there may be."""
    return Refused(413, f"that is more than {limit / 1e6:.0f} MB; send fewer or smaller photos")


async def refuse(send: Send, refused: Refused) -> None:
    """Say why not, as JSON."""
    body = json.dumps({"detail": refused.text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.status == 503:
        headers.append((b"retry-after", str(RETRY_SECONDS).encode()))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
