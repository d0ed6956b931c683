"""One server and one page for all tests; the page watches what is asked of whom."""

from __future__ import annotations

import contextlib
import os
import pathlib
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageDraw

from tests.browser.running import Missing, running_browser, running_demo
from tests.browser.visitor import Visitor

MODEL = os.environ.get("CAPTIONER_DEMO_MODEL", "models/shapes")


@pytest.fixture(scope="session")
def browser():
    """Skips, and says why, where there is none; under CI it fails: a skipped test would pass for a tested page."""
    try:
        with running_browser() as browser:
            yield browser
    except Missing as reason:
        if os.environ.get("CI"):
            pytest.fail(str(reason))
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    """Address of the demo, started once for all tests and stopped after them."""
    with running_demo(MODEL, tmp_path_factory.mktemp("demo")) as address:
        yield address


@pytest.fixture(scope="session")
def context(browser):
    """One memory for all windows: the page's files, read anew, cost half as much again as the page."""
    return browser.new_context()


def log_of(page) -> list[str]:
    """The errors that the page logs from now on."""
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return errors


@pytest.fixture(scope="session")
def loaded_page(context, server):
    """The page, loaded once, since that takes seconds, and what it asked for and complained of."""
    page = context.new_page()
    hosts, errors = set(), log_of(page)
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(server)
    page.wait_for_selector(".viewer")
    Visitor(page).captioned()  # the example that the page starts with
    return page, hosts, errors


def empty(page) -> None:
    """Bring the page back to where it has no photo."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.mouse.move(5, 5)
    remove = page.locator("#compare-photo [aria-label='Remove Image']")
    if remove.count():  # else it would go along to the other tab; its own may be hidden
        remove.evaluate("button => button.click()")
        page.wait_for_selector('#left-viewer .viewer[data-state="empty"]', state="attached")
    page.get_by_role("tab", name="One photo").click()
    if page.locator("#photo [aria-label='Remove Image']").count():
        page.click("#photo [aria-label='Remove Image']")
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')
    page.locator(".toast-close").evaluate_all("buttons => buttons.forEach(button => button.click())")


@pytest.fixture
def watched(loaded_page, server):
    """The page as it is; afterwards it must have spoken to no other host and logged no error."""
    page, hosts, errors = loaded_page
    page.bring_to_front()  # behind a window that stays open its pictures take seconds
    yield page
    problems = list(errors)
    errors.clear()
    assert hosts - {""} == {urlsplit(server).netloc}  # "" is a blob: or data: address
    assert problems == []


@pytest.fixture(scope="session")
def window(context, loaded_page, server):
    """A context manager: the page at an address, loaded as on a first visit; its log must hold no error in the end."""
    other = loaded_page[0]

    @contextlib.contextmanager
    def opened(path: str = "/", **media):
        other.evaluate("localStorage.clear()")  # the mark of what is kept
        page = context.new_page()
        errors = log_of(page)
        page.set_viewport_size({"width": 1280, "height": 800})
        page.emulate_media(**media)
        page.goto(f"{server}{path}")
        yield page
        page.close()
        other.bring_to_front()
        assert errors == []

    return opened


@pytest.fixture
def fresh(window):
    """The page with the example that a first visit starts with."""
    with window() as page:
        Visitor(page).captioned()
        yield page


@pytest.fixture
def reload(fresh):
    """Loads that page anew once all is answered: an answer that is torn off is logged as an error."""
    asked = set()
    fresh.on("request", lambda request: asked.add(request))
    for answered in ("requestfinished", "requestfailed"):
        fresh.on(answered, lambda request: asked.discard(request))

    def load() -> None:
        while asked:
            fresh.wait_for_timeout(50)
        fresh.reload()

    return load


@pytest.fixture
def page(watched):
    """The page without a photo."""
    watched.evaluate("delete window.onlyRead")
    empty(watched)
    return watched


@pytest.fixture
def reader(watched, photo_to_read):
    """A visitor who only reads what the page says of one photo, which is uploaded once for all that come in turn."""
    visitor = Visitor(watched)
    if not watched.evaluate("window.onlyRead"):
        empty(watched)
        visitor.upload(photo_to_read)
        watched.evaluate("window.onlyRead = true")
    watched.mouse.move(5, 5)
    visitor.viewer.locator(".stage").focus()
    watched.keyboard.press("Escape")
    visitor.settled(-1)
    return visitor


@pytest.fixture
def visitor(page) -> Visitor:
    return Visitor(page)


def draw(size: tuple[int, int], path: pathlib.Path) -> pathlib.Path:
    image = Image.new("RGB", size, "#d8d8d8")
    side = min(size) // 2
    ImageDraw.Draw(image).ellipse((20, 20, 20 + side, 20 + side), fill="red")
    ImageDraw.Draw(image).rectangle((size[0] - side, size[1] - side, size[0] - 20, size[1] - 20), fill="blue")
    image.save(path)
    return path


@pytest.fixture
def picture(tmp_path):
    return lambda size: draw(size, tmp_path / "shapes.png")


@pytest.fixture(scope="session")
def photo_to_read(tmp_path_factory):
    """The photo of `reader`."""
    return draw((600, 400), tmp_path_factory.mktemp("read") / "read.png")


@pytest.fixture(scope="session")
def client(server):
    from gradio_client import Client

    return Client(server, verbose=False, analytics_enabled=False)
