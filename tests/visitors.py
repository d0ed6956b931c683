"""The demo's server in a process of its own, and visitors who speak HTTP with it, good ones and bad ones."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx

START_SECONDS = 240
API = "/gradio_api"
# One for all requests, each over a connection of its own: to read the certificates anew takes longer than most answers.
HTTP = httpx.Client(verify=False, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    """A running `python -m demo`.

    Attributes:
        address: where it answers.
        uploads: the folder its temporary files lie under.
        temporary: where programs that are told of no folder put theirs.
        process: the process.
    """

    def __init__(self, folder: pathlib.Path, model: str = "models/shapes", *arguments: str):
        self.port, self.uploads, self.temporary = free_port(), folder / "uploads", folder / "temporary"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.errors = folder / "stderr"
        command = [sys.executable, "-m", "demo", "--model", model, "--port", str(self.port), *arguments]
        folders = {"GRADIO_TEMP_DIR": str(self.uploads), "TMPDIR": str(self.temporary)}
        environment = os.environ | folders | {"PYTHONUNBUFFERED": "1"}
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        impatience = threading.Timer(START_SECONDS, self.process.kill)
        impatience.start()
        ready = next((m for line in self.process.stdout if (m := re.search(r"ready at (http\S+)", line))), None)
        impatience.cancel()
        if ready is None:
            raise RuntimeError(f"{' '.join(command)} ended before it was ready:\n{self.errors.read_text()}")
        self.address = ready[1]

    def stop(self, wait: float = 90) -> int:
        """Ask it to stop; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(wait)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def files(self) -> list[pathlib.Path]:
        """The temporary files it keeps."""
        return [path for path in self.uploads.rglob("*") if path.is_file()]

    def memory(self) -> float:
        """Megabytes that it holds."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1000


def run_apart(coroutine):
    """`asyncio.run` in a thread of its own: tests of the page may have left an event loop in this one."""
    with concurrent.futures.ThreadPoolExecutor(1) as alone:
        return alone.submit(asyncio.run, coroutine).result()


@contextlib.contextmanager
def demo(folder: pathlib.Path, *arguments: str) -> Iterator[Demo]:
    """A demo that is stopped in the end."""
    running = Demo(folder, *arguments)
    try:
        yield running
    finally:
        running.stop()


class Answer(NamedTuple):
    """What a visitor got: a caption, or the words of a refusal."""

    caption: dict[str, Any] | None
    refusal: str | None
    status: int = 200


def file_data(path: str, name: str = "photo.jpg", **more: Any) -> dict[str, Any]:
    """A file as Gradio's clients send it once it is uploaded."""
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}, **more}


class Visitor:
    """Uploads a photo and asks for its caption, as a program does.

    Args:
        client: of httpx, with the server's address as its base.
    """

    def __init__(self, client: httpx.AsyncClient):
        self.client = client

    async def upload(self, data: bytes, name: str = "photo.jpg") -> httpx.Response:
        return await self.client.post(f"{API}/upload", files={"files": (name, data)})

    async def ask(self, photo: Any, endpoint: str = "caption", **arguments: Any) -> Answer:
        """The answer of an endpoint to an uploaded photo."""
        joined = await self.client.post(f"{API}/call/v2/{endpoint}", json={"photo": photo, **arguments})
        if joined.status_code != 200:
            return Answer(None, _detail(joined), joined.status_code)
        event = ""
        async with self.client.stream("GET", f"{API}/call/v2/{endpoint}/{joined.json()['event_id']}") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: ") and event in ("complete", "error"):
                    value = json.loads(line[6:])
                    if event == "complete":
                        return Answer(value[0], None)
                    return Answer(None, value.get("error") if isinstance(value, dict) else value)
        return Answer(None, "the answer broke off", 0)

    async def caption(self, data: bytes, name: str = "photo.jpg", **arguments: Any) -> Answer:
        """Upload and ask."""
        uploaded = await self.upload(data, name)
        if uploaded.status_code != 200:
            return Answer(None, _detail(uploaded), uploaded.status_code)
        return await self.ask(file_data(uploaded.json()[0], name), **arguments)


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text


def client(demo: Demo, **options: Any) -> httpx.AsyncClient:
    """For as many visitors as one likes."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.AsyncClient(base_url=demo.address, timeout=300, limits=limits, verify=False, **options)
