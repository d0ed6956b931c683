"""Ways in and what stays: drops, pastes, swipes, the next tab, a reload, a link."""

from __future__ import annotations

import base64
import pathlib
import re

import pytest

from tests.browser.visitor import Visitor
from tests.quick import quick

WIDE, TALL = (700, 300), (300, 700)

# Drop files onto a place of the page, or paste them; returns whether the browser was kept from doing so itself.
HAND_OVER = """([selector, kind, files]) => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) {
        const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type: "image/png" }));
    }
    const target = document.querySelector(selector), how = { bubbles: true, cancelable: true };
    if (kind === "paste") {
        const event = new ClipboardEvent("paste", { ...how, clipboardData: transfer });
        target.dispatchEvent(event);
        return event.defaultPrevented;
    }
    return ["dragenter", "dragover", "drop"].every((name) => {
        const event = new DragEvent(name, { ...how, dataTransfer: transfer });
        target.dispatchEvent(event);
        return event.defaultPrevented;
    });
}"""


def hand_over(page, selector: str, kind: str, *paths: pathlib.Path) -> bool:
    files = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths]
    return page.evaluate(HAND_OVER, [selector, kind, files])


PLACES = ("#viewer .viewer", "#introduction h1", "#settings button", "#photo", "body")


@pytest.mark.parametrize("place", quick(["#photo", "body"], PLACES))
def test_a_photo_is_dropped_or_pasted_anywhere(visitor, picture, place):
    page, path = visitor.page, picture(WIDE)
    kinds = ("drop", "paste") if place != "#photo" else ("drop",)
    for kind in kinds:
        assert hand_over(page, place, kind, path), f"the browser would leave the page at a {kind} on {place}"
        assert visitor.captioned()
        page.click("#photo [aria-label='Remove Image']")
        page.wait_for_selector('#viewer .viewer[data-state="empty"]')
    assert page.locator("#ways .veil").is_hidden()


def test_what_is_no_file_is_kept_off_the_page_too_but_text_reaches_its_field(page):
    drag = """selector => {
        const transfer = new DataTransfer();
        transfer.setData("text/uri-list", "http://127.0.0.1:9/elsewhere");
        const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer });
        document.querySelector(selector).dispatchEvent(event);
        return event.defaultPrevented;
    }"""
    assert page.evaluate(drag, "#introduction h1")
    page.click("#settings button")
    page.wait_for_selector("#max-words input[type=number]")
    assert not page.evaluate(drag, "#max-words input[type=number]")
    page.click("#settings button")


def test_several_photos_go_to_the_tab_for_many_in_place_of_those_before(visitor, picture, tmp_path):
    page, path = visitor.page, picture(WIDE)
    for names in (["shapes.png", "other.png"], ["third.png", "fourth.png", "shapes.png"]):
        paths = [tmp_path / name for name in names]
        for copy in paths[:-1] if path == paths[-1] else paths[1:]:
            copy.write_bytes(path.read_bytes())
        page.get_by_role("tab", name="One photo").click()
        assert hand_over(page, "#viewer .viewer", "drop", *paths)
        page.locator(".batch .file", has_text=names[1]).wait_for()
        page.wait_for_selector('.batch[data-state="done"]', timeout=60_000)
        assert page.locator(".batch .file").all_text_contents() == names
    page.click("#photos [aria-label='Clear']")
    page.wait_for_selector('.batch[data-state="empty"]')


def test_a_refused_file_leaves_no_broken_picture(visitor, tmp_path):
    page, wrong = visitor.page, tmp_path / "broken.png"
    wrong.write_text("hello")
    hand_over(page, "body", "drop", wrong)
    assert "not a picture" in page.locator(".toast-body").inner_text(timeout=20_000)
    page.locator("#photo img").wait_for(state="detached")
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')


def test_a_kind_that_the_browser_cannot_show_is_shown_as_the_server_read_it(visitor, picture):
    from PIL import Image

    path = picture(WIDE)
    Image.open(path).save(path.with_suffix(".tiff"))
    visitor.upload(path.with_suffix(".tiff"))
    visitor.page.wait_for_function("document.querySelector('#photo img')?.naturalWidth > 0")


def test_the_photo_goes_along_to_the_other_tab_and_back(visitor, picture):
    page = visitor.page
    visitor.upload(picture(WIDE))
    page.get_by_role("tab", name="Two models").click()
    left = Visitor(page, "#left-viewer", "#compare-photo")
    assert left.captioned()
    address = "document.querySelector('{} img').src"
    assert page.evaluate(address.format("#compare-photo")) == page.evaluate(address.format("#photo"))
    Visitor(page, "#right-viewer", "#compare-photo").captioned()
    left.upload(picture(TALL))
    page.wait_for_function("document.querySelector('#compare-photo img')?.naturalHeight === 700")
    page.get_by_role("tab", name="One photo").click()
    page.wait_for_function("document.querySelector('#photo img')?.naturalHeight === 700")
    visitor.captioned()


def test_a_photo_that_was_removed_goes_to_no_other_tab(visitor, picture):
    page = visitor.page
    page.get_by_role("tab", name="Two models").click()
    Visitor(page, "#left-viewer", "#compare-photo").upload(picture(WIDE))
    page.click("#compare-photo [aria-label='Remove Image']")
    page.locator("#compare-photo img").wait_for(state="detached")
    page.get_by_role("tab", name="One photo").click()
    page.wait_for_timeout(1000)
    assert page.locator("#photo img").count() == 0


def test_a_caption_whose_photo_was_removed_meanwhile_is_taken_away(visitor, picture):
    """It came after the field was empty, where the page was too slow to cancel it."""
    visitor.upload(picture(WIDE))
    visitor.page.evaluate("document.dispatchEvent(new CustomEvent('ways:written', { detail: [null] }))")
    visitor.page.wait_for_selector('#viewer .viewer[data-state="empty"]')


@pytest.mark.slow
def test_a_photo_that_comes_while_the_page_opens_is_not_replaced_by_the_example(browser, server, picture, tmp_path):
    context = browser.new_context()
    page, held = context.new_page(), []
    hold_the_first = lambda route: route.continue_() if held else held.append(route)
    page.route(re.compile(r"/gradio_api/(queue/join|run/)"), hold_the_first)
    page.goto(server)
    page.wait_for_function("document.body.dataset.arriving !== undefined")
    while not held:
        page.wait_for_timeout(50)
    own = picture(WIDE).rename(tmp_path / "own.png")
    page.set_input_files("#photo input[type=file]", own)
    page.locator("#photo img[src$='/own.png']").wait_for()
    held[0].continue_()  # what the page asked by itself arrives late
    page.wait_for_function("document.querySelector('#viewer .photo')?.naturalWidth === 700")
    page.wait_for_load_state("networkidle")
    assert Visitor(page).captioned()
    assert page.locator("#viewer .photo").evaluate("photo => photo.naturalWidth") == 700
    assert page.locator("#photo img").get_attribute("src").endswith("/own.png")
    context.close()


def test_a_reload_keeps_photo_and_caption_until_the_photo_is_removed(fresh, reload, picture):
    page, visitor = fresh, Visitor(fresh)
    words = visitor.upload(picture(WIDE))
    page.locator(".forget").wait_for()
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/queue/join" in request.url else None)
    reload()
    assert visitor.captioned() == words and asked == [], "what was kept is asked for again"
    page.wait_for_function("document.querySelector('#photo img')?.naturalWidth > 0")
    page.click("#photo [aria-label='Remove Image']")
    page.locator(".forget").wait_for(state="hidden")
    assert page.evaluate("localStorage.getItem('captioner.kept')") is None


@pytest.mark.slow
def test_a_reload_keeps_what_was_rewritten_until_it_is_forgotten(fresh, reload, picture):
    page, visitor = fresh, Visitor(fresh)
    words = visitor.upload(picture(WIDE))
    page.locator(".forget").wait_for()
    visitor.choose(1)
    alternatives = page.locator("#viewer .alternative .text").all_text_contents()
    place = next(i for i, text in enumerate(alternatives) if text not in (words[1], "end here"))
    page.locator("#viewer .alternative").nth(place).click()
    page.locator("#viewer .word > .text").nth(1).filter(has_text=alternatives[place]).wait_for(timeout=30_000)
    rewritten = visitor.captioned()
    page.wait_for_timeout(500)  # the database is written behind the page

    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/queue/join" in request.url else None)
    reload()
    assert visitor.captioned() == rewritten and asked == [], "what was kept is asked for again"
    page.wait_for_function("document.querySelector('#photo img')?.naturalWidth > 0")
    visitor.choose(1)
    page.click("#viewer .check")  # the server knows the photo
    page.wait_for_selector("#viewer .verdict", timeout=30_000)

    page.click(".forget")
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')
    assert page.locator("#photo img").count() == 0
    reload()
    example = visitor.captioned()  # as on a first visit, which nobody is asked to forget
    assert example != rewritten and page.locator(".forget").is_hidden()
    page.wait_for_timeout(500)
    assert page.evaluate("localStorage.length") == 0


def test_a_link_holds_the_settings_and_nothing_that_they_cannot_be(page, window, server):
    page.click("#settings button")
    page.get_by_label("Greedy").check()
    page.wait_for_url("**/?strategy=greedy")
    page.get_by_label("Beam search").check()
    page.wait_for_url(f"{server}/")
    page.click("#settings button")
    with window("/?strategy=sample&temperature=0.8&max-words=6&model=none&beam-width=99") as linked:
        linked.wait_for_url("**/?strategy=sample&max-words=6&temperature=0.8")  # in the order of the controls
        linked.click("#settings button")
        assert linked.get_by_label("Sampling").is_checked()
        value = lambda name: linked.locator(f"#{name} input[type=number]").input_value()
        assert (value("temperature"), value("max-words")) == ("0.8", "6")
        assert linked.locator("#ways .link").get_attribute("href").endswith("max-words=6&temperature=0.8")


def touch(session, kind: str, *point: float) -> None:
    points = [{"x": point[0], "y": point[1]}] if point else []
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.fixture(scope="module")
def phone(browser, server):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(server)
    Visitor(page).captioned()  # the example that the page starts with
    yield page
    context.close()


def test_a_swipe_over_the_photo_scrolls_and_leaves_nothing_behind(phone, picture):
    visitor = Visitor(phone)
    words = visitor.upload(picture(TALL))
    session = phone.context.new_cdp_session(phone)
    phone.locator("#viewer .stage").evaluate("stage => stage.scrollIntoView({ block: 'center' })")
    phone.wait_for_timeout(800)
    box = phone.locator("#viewer .stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = phone.evaluate("scrollY")
    touch(session, "touchStart", x, y)
    for step in range(1, 9):
        touch(session, "touchMove", x + step % 2, y - 20 * step)
        phone.wait_for_timeout(20)
    touch(session, "touchEnd")
    phone.wait_for_timeout(300)
    assert phone.evaluate("scrollY") > before + 40, "the swipe did not scroll"
    assert phone.locator("#viewer .region").is_hidden()
    assert phone.locator("#viewer .viewer").get_attribute("data-panel") == "hint"

    box = phone.locator("#viewer .stage").bounding_box()
    x, y = box["x"] + box["width"] / 3, max(box["y"], 0) + 60
    touch(session, "touchStart", x, y)
    for step in range(1, 9):
        touch(session, "touchMove", x + 10 * step, y + 2 * step)
        phone.wait_for_timeout(20)
    assert phone.locator("#viewer .region").is_visible()
    touch(session, "touchCancel")
    phone.locator("#viewer .region").wait_for(state="hidden")  # as if the browser had taken the touch
    touch(session, "touchStart", x, y)
    touch(session, "touchEnd")
    phone.locator("#viewer .region").wait_for(state="visible")  # a tap still looks back
    assert phone.locator("#viewer .looker").count() == len(words)


@pytest.mark.parametrize("width", [360, 390])
def test_every_tab_is_in_sight_on_a_phone(phone, width):
    phone.set_viewport_size({"width": width, "height": 844})
    phone.wait_for_timeout(300)
    names = ("One photo", "Two models", "Many photos", "How it looks")
    for name in names:
        box = phone.get_by_role("tab", name=name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 40
    assert phone.locator("#tabs .overflow-menu button").first.is_hidden()
    assert phone.evaluate("document.documentElement.scrollWidth") <= width
