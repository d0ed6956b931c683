"""A crowd at the door of the demo: many uploads at once, many in a row, and visitors who dawdle or leave.

make bench ARGS="-k crowd"; $CAPTIONER_DEMO_MODEL names another model than models/shapes.
"""

from __future__ import annotations

import asyncio
import collections
import os
import random
import time

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import pictures
from tests.visitors import API, Visitor, client, demo

MODEL = os.environ.get("CAPTIONER_DEMO_MODEL", "models/shapes")
CROWD, BAD_SHARE = 200, 10  # every tenth is bad
ROW = int(os.environ.get("CAPTIONER_SOAK", 2000))
SLOW, GONE, NORMAL = 50, 50, 40


@pytest.fixture
def running(tmp_path):
    with demo(tmp_path, MODEL) as running:
        yield running


def numbered_photo(number: int) -> bytes:
    """A photo whose size tells whose it is."""
    rng = np.random.default_rng(number)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
    return pictures.encode(small.resize((400 + number, 300), Image.Resampling.BICUBIC), "JPEG")


def tell(name: str, seconds: list[float]) -> None:
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99))
    print(f"\n{name}: {len(seconds)} answers, p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s", end="")


def test_two_hundred_at_once(running):
    bad = [odd for odd in (*pictures.no_pictures(), *pictures.bombs()) if len(odd.data) < 1_000_000]

    async def one(visitor, number):
        is_bad = number % BAD_SHARE == 0
        odd = bad[number // BAD_SHARE % len(bad)]
        data, name = (odd.data, odd.name) if is_bad else (numbered_photo(number), f"{number}.jpg")
        start = time.perf_counter()
        answer = await visitor.caption(data, name)
        while answer.status == 503:  # told that the server is busy: come back, as a person would
            busy[number] += 1
            await asyncio.sleep(1 + random.random())
            answer = await visitor.caption(data, name)
        return number, is_bad, name, answer, time.perf_counter() - start

    async def crowd():
        async with client(running) as of_httpx:
            visitor = Visitor(of_httpx)
            await visitor.caption(numbered_photo(0))
            return await asyncio.gather(*(one(visitor, number) for number in range(CROWD)))

    busy = collections.Counter()
    answers = asyncio.run(crowd())
    for number, is_bad, name, answer, _ in answers:
        if is_bad:
            assert answer.refusal and name in answer.refusal and answer.refusal != "Error", (name, answer)
        else:
            assert answer.caption and answer.caption["size"] == [400 + number, 300], (name, answer)
    tell(f"{CROWD} at once, {CROWD // BAD_SHARE} of them bad", [seconds for *_, seconds in answers])
    print(f"; told to come back: {sum(busy.values())}; {running.memory():.0f} MB, {len(running.files())} files")
    assert running.errors.read_text() == ""


def test_many_in_a_row(running):
    async def row():
        seconds, marks = [], []
        async with client(running) as of_httpx:
            visitor = Visitor(of_httpx)
            for number in range(ROW):
                start = time.perf_counter()
                answer = await visitor.caption(numbered_photo(number % 500))
                assert answer.caption and answer.caption["size"][0] == 400 + number % 500
                seconds.append(time.perf_counter() - start)
                if number % (ROW // 10) == ROW // 10 - 1:
                    files = running.files()
                    size = sum(path.stat().st_size for path in files) / 1e6
                    marks.append((number + 1, running.memory(), len(files), size))
        return seconds, marks

    seconds, marks = asyncio.run(row())
    tell(f"{ROW} in a row", seconds)
    for number, memory, files, size in marks:
        print(f"\n  after {number}: {memory:.0f} MB, {files} temporary files of {size:.1f} MB", end="")
    print()
    assert marks[-1][1] < 1.05 * marks[len(marks) // 2][1] + 20


def test_slow_and_vanishing_visitors_beside_normal_ones(running):
    data = numbered_photo(1)
    body = httpx.Request("POST", "http://x", files={"files": ("a.jpg", data)})
    body.read()
    kind = body.headers["content-type"]
    length = len(body.content)
    head = f"POST {API}/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"

    async def slow():
        _, writer = await asyncio.open_connection("127.0.0.1", running.port)
        try:
            for byte in (head.encode() + body.content)[:400]:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.2)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def gone():
        for _ in range(3):
            _, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(head.encode() + body.content[: random.randrange(len(body.content))])
            await writer.drain()
            await asyncio.sleep(random.random())
            writer.transport.abort()

    async def leaves_its_answer(visitor):
        path = (await visitor.upload(data)).json()[0]
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        await visitor.client.post(f"{API}/call/v2/caption", json={"photo": photo})

    async def normal(visitor, number):
        start = time.perf_counter()
        answer = await visitor.caption(numbered_photo(number))
        assert answer.caption and answer.caption["size"] == [400 + number, 300], answer
        return time.perf_counter() - start

    async def normals(visitor, beside):
        tasks = [asyncio.create_task(task) for task in beside]
        await asyncio.sleep(0.5 * bool(tasks))
        seconds = []
        for number in range(NORMAL):
            seconds.append(await normal(visitor, number))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return seconds

    async def all_of_them():
        async with client(running) as of_httpx:
            visitor = Visitor(of_httpx)
            await normal(visitor, 0)
            alone = await normals(visitor, [])
            bad = [*(slow() for _ in range(SLOW)), *(gone() for _ in range(GONE - 10))]
            bad += [leaves_its_answer(visitor) for _ in range(10)]
            return alone, await normals(visitor, bad)

    alone, beside = asyncio.run(all_of_them())
    tell("alone", alone)
    tell(f"beside {SLOW} slow and {GONE} vanishing visitors", beside)
    print()
    assert running.errors.read_text() == ""


def test_every_odd_picture_through_the_page(running):
    """All of them: how many were captioned, refused, and refused without words; the most memory it took."""
    odd = list(pictures.all_pictures())
    counts = collections.Counter()

    async def all_of_them():
        async with client(running) as of_httpx:
            visitor = Visitor(of_httpx)
            before, peak = running.memory(), 0.0
            for one in odd:
                answer = await visitor.caption(one.data, one.name)
                peak = max(peak, running.memory())
                reason = pictures.pillow_reports(one.data) if one.verdict == pictures.ORACLE else None
                wanted = one.verdict
                if wanted == pictures.ORACLE:
                    wanted = pictures.BAD if reason else pictures.GOOD
                counts["captioned" if answer.caption else "refused"] += 1
                counts["vague"] += answer.caption is None and answer.refusal in (None, "", "Error")
                counts["wrongly refused"] += wanted == pictures.GOOD and not answer.caption
                counts["captioned though damaged"] += wanted == pictures.BAD and bool(answer.caption)
                if wanted == pictures.GOOD and not answer.caption:
                    print(f"\n  {one.name}: {answer.refusal}", end="")
            return before, peak

    before, peak = asyncio.run(all_of_them())
    print(f"\n{len(odd)} pictures: {dict(counts)}; {before:.0f} MB before, at most {peak:.0f} MB")
    assert not counts["vague"] + counts["wrongly refused"] + counts["captioned though damaged"]
    assert running.errors.read_text() == ""
