"""The real server in a process of its own, and a browser page that watches what it asks for."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest

MODEL = "models/shapes"
START_SECONDS = 180
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def missing(reason: str) -> None:
    """Skip, and say why; under CI fail, since a skipped test there would pass for a tested page."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium under Playwright."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the browser tests need playwright: pip install -r requirements-dev.txt")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        missing("the browser tests need Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    """Address of `python -m demo`, started once for all tests and stopped after them."""
    folder = tmp_path_factory.mktemp("demo")
    port = free_port()
    command = [sys.executable, "-m", "demo", "--model", MODEL, "--port", str(port)]
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
                pytest.fail(f"{' '.join(command)} ended before it was ready:\n{errors.read()}")
            yield ready[1]
        finally:
            impatience.cancel()
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="session")
def loaded_page(browser, server):
    """The page, loaded once, since that takes seconds, and what it asked for and complained of."""
    page = browser.new_context().new_page()
    hosts, errors = set(), []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(server)
    page.wait_for_selector(".viewer")
    return page, hosts, errors


@pytest.fixture
def page(loaded_page, server):
    """The page without a photo; afterwards it must have spoken to no other host and logged no error."""
    page, hosts, errors = loaded_page
    page.set_viewport_size({"width": 1280, "height": 900})
    page.mouse.move(5, 5)
    if page.locator("#photo [aria-label='Remove Image']").count():
        page.click("#photo [aria-label='Remove Image']")
    page.wait_for_selector('.viewer[data-state="empty"]')
    yield page
    problems = list(errors)
    errors.clear()
    assert hosts - {""} == {urlsplit(server).netloc}  # "" is a blob: or data: address
    assert problems == []
