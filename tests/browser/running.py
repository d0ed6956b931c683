"""The real server in a process of its own, and Debian's Chromium under Playwright."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

START_SECONDS = 180
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


class Missing(Exception):
    """What a browser test needs is not installed."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running_browser() -> Iterator:
    """Chromium under Playwright.

    Raises:
        Missing: one of them is not installed.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise Missing("the browser tests need playwright: pip install -r requirements-dev.txt") from None
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        raise Missing("the browser tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def running_demo(model: str, folder: pathlib.Path) -> Iterator[str]:
    """Address of `python -m demo`, from when it says that it is ready.

    Args:
        model: folder of the model it starts with.
        folder: for its uploads and what it writes on stderr.
    """
    command = [sys.executable, "-m", "demo", "--model", model, "--port", str(free_port())]
    environment = os.environ | {"GRADIO_TEMP_DIR": str(folder / "uploads"), "PYTHONUNBUFFERED": "1"}
    with (folder / "stderr").open("w+") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        impatience = threading.Timer(START_SECONDS, process.kill)
        impatience.start()
        try:
            ready = next((match for line in process.stdout if (match := re.search(r"ready at (http\S+)", line))), None)
            impatience.cancel()
            if not ready:
                errors.seek(0)
                raise RuntimeError(f"{' '.join(command)} ended before it was ready:\n{errors.read()}")
            yield ready[1]
        finally:
            impatience.cancel()
            process.terminate()
            process.wait(20)
