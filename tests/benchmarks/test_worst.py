"""The worst that one visitor may ask of the demo: memory after many different questions, and how long others wait.

make bench ARGS="-k worst"; $CAPTIONER_DEMO_MODEL names another model than models/shapes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time

import numpy as np
import pytest

from tests import pictures
from tests.visitors import Visitor, client, demo, file_data

MODEL = os.environ.get("CAPTIONER_DEMO_MODEL", "models/shapes")
ALIKE = int(os.environ.get("CAPTIONER_SOAK", 2000))
OTHERS = ALIKE // 20
PAUSE = 0.3  # seconds between questions of the others


@pytest.fixture
def running(tmp_path):
    with demo(tmp_path, MODEL) as running:
        yield running


@pytest.fixture
def photo_bytes():
    return pictures.encode(pictures.base().resize((240, 180)), "JPEG")


def different() -> list[dict]:
    """300 valid questions, no two alike, of 25 kinds of search."""
    kinds = [("beam", width) for width in range(1, 21)] + [("diverse", width) for width in range(1, 6)]
    return [
        {"strategy": strategy, "beam_width": width, "max_words": length}
        for strategy, width in kinds
        for length in range(1, 13)
    ]


def test_memory_after_the_worst_questions(running, photo_bytes):
    async def ask():
        async with client(running) as of_httpx:
            visitor = Visitor(of_httpx)
            photo = file_data((await visitor.upload(photo_bytes)).json()[0])
            assert (await visitor.ask(photo)).caption
            marks = [("at the start", running.memory())]
            for number, arguments in enumerate(different()):
                answer = await visitor.ask(photo, **arguments)
                assert answer.caption, (arguments, answer.refusal)
                if number + 1 in (12, 96, 192, 300):
                    marks.append((f"after {number + 1} different ones", running.memory()))
                    print(f"\n  {marks[-1][0]}: {marks[-1][1]:.0f} MB", end="", flush=True)
            for _ in range(ALIKE):
                assert (await visitor.ask(photo)).caption
            return [*marks, (f"after {ALIKE} alike", running.memory())]

    marks = asyncio.run(ask())
    print("".join(f"\n  {name}: {memory:.0f} MB" for name, memory in marks))
    by_name = dict(marks)
    assert by_name["after 300 different ones"] < by_name["after 96 different ones"] + 300
    assert marks[-1][1] < marks[-2][1] + 100


WORST = {
    "nobody": None,
    "a search compiled anew each time": lambda number: (
        "caption",
        {"strategy": "diverse", "beam_width": 1 + number % 20},
    ),
    "the widest search": lambda number: ("caption", {"beam_width": 20}),
    "animations of the longest text": lambda number: ("draw", {"text": "a " * 8, "kind": ("webp", "gif")[number % 2]}),
}


@pytest.mark.parametrize("worst", WORST)
def test_others_while_one_asks_for_the_worst(running, photo_bytes, worst):
    large = pictures.encode(pictures.base().resize((4000, 3000)), "JPEG")

    async def bad(visitor):
        photo = file_data((await visitor.upload(large)).json()[0])
        for number in itertools.count(random.randrange(20)):
            endpoint, arguments = WORST[worst](number)
            await visitor.ask(photo, endpoint, **arguments)

    async def ask():
        seconds = []
        async with client(running) as of_httpx:
            visitor = Visitor(of_httpx)
            photo = file_data((await visitor.upload(photo_bytes)).json()[0])
            assert (await visitor.ask(photo)).caption
            beside = asyncio.create_task(bad(visitor)) if WORST[worst] else None
            for _ in range(OTHERS):
                start = time.perf_counter()
                assert (await visitor.ask(photo)).caption
                seconds.append(time.perf_counter() - start)
                await asyncio.sleep(PAUSE)
            if beside:
                beside.cancel()
        return seconds

    seconds = asyncio.run(ask())
    p50, p99 = np.percentile(seconds, (50, 99))
    print(f"\n  beside {worst}: {OTHERS} answers, p50 {p50:.2f} s, p99 {p99:.2f} s, at most {max(seconds):.2f} s")
    assert running.errors.read_text() == ""
