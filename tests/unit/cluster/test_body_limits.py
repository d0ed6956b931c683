"""What a request to the service may hold and take, in behaviour."""

from __future__ import annotations

import asyncio
import json

import pytest

from captioner.cluster import body_limits
from captioner.cluster.body_limits import BodyLimits
from tests.loops import run


async def echo(scope, receive, send):
    """Answers with the body that came."""
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


async def ask(app, pieces, gap: float = 0.0, method: str = "POST", **headers: str):
    """Status, body and headers of the answer to a request that comes in pieces."""
    left, sent = list(pieces), []
    scope = {"type": "http", "method": method}
    scope["headers"] = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def receive():
        await asyncio.sleep(gap)
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


def test_a_body_comes_whole():
    assert run(ask(BodyLimits(echo), [b"ab", b"", b"c"]))[:2] == (200, b"abc")
    assert run(ask(BodyLimits(echo), [b"ab"], method="GET"))[:2] == (200, b"ab")


def test_a_body_is_refused_where_it_is_too_long(monkeypatch):
    monkeypatch.setattr(body_limits, "MAX_UPLOAD", 100)
    for pieces, told in (([bytes(60)] * 2, {}), ([b""], {"content_length": "101"})):
        status, body, _ = run(ask(BodyLimits(echo), pieces, **told))
        assert status == 413 and "send fewer or smaller photos" in json.loads(body)["detail"]
    assert run(ask(BodyLimits(echo), [bytes(100)], content_length="100"))[0] == 200


@pytest.mark.parametrize("limit", ["GAP_SECONDS", "BODY_SECONDS"])
def test_a_body_that_comes_too_slowly_is_refused(monkeypatch, limit):
    monkeypatch.setattr(body_limits, limit, 0.05)
    gap = 60 if limit == "GAP_SECONDS" else 0.01  # never long between two pieces, and without an end
    status, body, _ = run(ask(BodyLimits(echo), [b"a"] * 10_000, gap))
    assert status == 408 and "send it again" in json.loads(body)["detail"]


def test_more_at_once_than_there_may_be_are_told_when_to_ask_again():
    async def crowd():
        go = asyncio.Event()

        async def slow(*of_request):
            await go.wait()
            await echo(*of_request)

        app = BodyLimits(slow)
        waiting = [asyncio.create_task(ask(app, [b"a"])) for _ in range(app.most)]
        while app.open < app.most:
            await asyncio.sleep(0)
        status, _, headers = await ask(app, [b"late"])
        go.set()
        return (status, b"retry-after" in headers), {answer[0] for answer in await asyncio.gather(*waiting)}, app.open

    assert run(crowd()) == ((503, True), {200}, 0)


def test_who_leaves_before_the_end_asks_nothing():
    async def never(*_):
        raise AssertionError("was asked")

    assert run(ask(BodyLimits(never), []))[0] == 400
