"""The real server in a process of its own, and a browser page that watches what it asks for."""

from __future__ import annotations

import base64
import io
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image, ImageDraw

MODEL = os.environ.get("CAPTIONER_DEMO_MODEL", "models/shapes")
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

# How bright the colour of every pixel of the mask would be over black, in halves of a level, as base64.
LEVELS = """canvas => {
    const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let levels = "";
    for (let i = 0; i < data.length; i += 4) {
        const light = 0.2126 * data[i] + 0.7152 * data[i + 1] + 0.0722 * data[i + 2];
        levels += String.fromCharCode(Math.min(255, 2 * light * data[i + 3] / 255));
    }
    return { width, height, levels: btoa(levels) };
}"""


def missing(reason: str) -> None:
    """Skip, and say why; under CI fail, since a skipped test there would pass for a tested page."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Visitor:
    """What a visitor does with a viewer, and what can be seen of it."""

    def __init__(self, page, viewer: str = "#viewer", field: str = "#photo"):
        self.page, self.viewer, self.field = page, page.locator(viewer), field

    def upload(self, path: pathlib.Path) -> list[str]:
        """Put a file into the field and wait for its caption; returns the words."""
        self.page.set_input_files(f"{self.field} input[type=file]", path)
        return self.captioned()

    def captioned(self) -> list[str]:
        """Wait until a caption is written and weighed; returns the words."""
        self.viewer.locator('.viewer[data-busy=""].leaning-known .word').first.wait_for(timeout=60_000)
        return self.words()

    def words(self) -> list[str]:
        return self.viewer.locator(".word > .text").all_text_contents()

    def choose(self, index: int) -> None:
        self.viewer.locator(".word").nth(index).click()
        self.settled(index)

    def settled(self, index: int) -> None:
        """Wait until the mask of a word (-1: none) has come to rest."""
        self.viewer.locator(f'.stage[data-settled="{index}"]').wait_for()

    def mask(self) -> np.ndarray:
        """How bright the mask would be over black, (height, width) of its canvas."""
        drawn = self.viewer.locator(".mask").evaluate(LEVELS)
        levels = np.frombuffer(base64.b64decode(drawn["levels"]), np.uint8)
        return levels.reshape(drawn["height"], drawn["width"]).astype(np.int32)

    def walk(self) -> list[np.ndarray]:
        """The mask of every word, walking through the caption with the keyboard."""
        self.viewer.locator(".stage").focus()
        self.page.keyboard.press("Home")
        drawn = []
        for index in range(len(self.words())):
            self.settled(index)
            drawn.append(self.mask())
            self.page.keyboard.press("ArrowRight")
        return drawn

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw a box on the photo, from and to shares of its width and height."""
        frame = self.viewer.locator(".stage").bounding_box()
        at = lambda x, y: (frame["x"] + x * frame["width"], frame["y"] + y * frame["height"])
        self.page.mouse.move(*at(*start))
        self.page.mouse.down()
        self.page.mouse.move(*at(*end), steps=4)
        self.page.mouse.up()

    def screenshot(self) -> np.ndarray:
        """Pixels of the photo with what lies over it, uint8 (height, width, 3)."""
        return np.asarray(Image.open(io.BytesIO(self.viewer.locator(".stage").screenshot())).convert("RGB"))


@pytest.fixture
def visitor(page) -> Visitor:
    return Visitor(page)


@pytest.fixture
def visitors():
    """The class, for pages with several viewers."""
    return Visitor


@pytest.fixture
def picture(tmp_path):
    def draw(size: tuple[int, int]) -> pathlib.Path:
        image = Image.new("RGB", size, "#d8d8d8")
        side = min(size) // 2
        ImageDraw.Draw(image).ellipse((20, 20, 20 + side, 20 + side), fill="red")
        ImageDraw.Draw(image).rectangle((size[0] - side, size[1] - side, size[0] - 20, size[1] - 20), fill="blue")
        image.save(tmp_path / "shapes.png")
        return tmp_path / "shapes.png"

    return draw


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
    page.get_by_role("tab", name="One photo").click()
    if page.locator("#photo [aria-label='Remove Image']").count():
        page.click("#photo [aria-label='Remove Image']")
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')
    if page.locator(".toast-close").count():
        page.locator(".toast-close").first.click()
    yield page
    problems = list(errors)
    errors.clear()
    assert hosts - {""} == {urlsplit(server).netloc}  # "" is a blob: or data: address
    assert problems == []
