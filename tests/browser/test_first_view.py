"""The first seconds with the page: what it starts with, what is in sight, what it says of itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image

from tests.browser.visitor import Visitor
from tests.quick import quick

WIDE, TALL = (600, 400), (400, 600)


@pytest.fixture(scope="module")
def arrived(window):
    """A first visit."""
    with window() as page:
        yield page


@pytest.fixture(scope="module")
def still(window):
    """A first visit of somebody who asked for less motion."""
    with window(reduced_motion="reduce") as page:
        Visitor(page).captioned()
        yield page


def bottom(page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    return box["y"] + box["height"]


def test_the_page_starts_with_a_caption_whose_masks_pass_by_once(arrived):
    visitor = Visitor(arrived)
    words = visitor.captioned()
    visitor.settled(len(words) - 1)
    arrived.locator("#viewer .play .label").filter(has_text="Play").wait_for()
    assert arrived.locator("#caption").count() == 0 or arrived.locator("#caption").is_hidden()
    assert arrived.title().startswith(words[0].capitalize())


def test_the_example_that_a_visit_starts_with_goes_to_no_other_tab(arrived):
    assert Visitor(arrived).captioned()
    arrived.get_by_role("tab", name="Two models").click()
    arrived.wait_for_timeout(1500)
    assert arrived.locator("#compare-photo img").count() == 0


def test_nothing_plays_where_no_motion_is_asked_for(still):
    assert still.locator("#viewer .stage").get_attribute("data-settled") == "-1"


def test_nothing_glides_where_no_motion_is_asked_for(still):
    still.get_by_role("tab", name="How it looks").click()
    still.wait_for_selector('.how[data-state="filled"]', timeout=60_000)
    still.click(".places [data-step=word]")
    tops = [still.evaluate("scrollY") for _ in range(3)]
    assert tops[0] == tops[1] == tops[2] > 0
    assert still.locator(".likeliest .track").first.evaluate("bar => getComputedStyle(bar).transitionDuration") == "0s"


@pytest.mark.parametrize("size", [WIDE, TALL], ids=["wide", "tall"])
def test_photo_words_player_and_detail_are_in_one_view(visitor, picture, size):
    page = visitor.page
    visitor.upload(picture(size))
    for width, height in ((1280, 800), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.mouse.move(5, 5)  # else a word that comes to lie under the pointer is chosen
        page.locator("#viewer .stage").focus()
        page.keyboard.press("Home")
        visitor.settled(0)
        page.evaluate("scrollTo(0, 0)")
        for part in (".stage", ".words", ".play", ".alternatives"):
            assert bottom(page, f"#viewer {part}") <= height, (part, width)


@pytest.mark.parametrize("size", [pytest.param(WIDE, marks=pytest.mark.slow), TALL], ids=["wide", "tall"])
def test_a_phone_shows_the_photo_with_its_words(visitor, picture, size):
    page = visitor.page
    page.set_viewport_size({"width": 390, "height": 844})
    visitor.upload(picture(size))
    page.wait_for_function("document.querySelector('#viewer .words').getBoundingClientRect().bottom <= innerHeight")
    assert page.locator("#viewer .stage").bounding_box()["y"] >= -1


@pytest.mark.parametrize("grey", quick([0, 255], [0, 110, 255]), ids=["dark", "middle", "bright"])
def test_a_mask_adds_light_and_is_seen_on_every_photo(visitor, tmp_path, grey):
    page = visitor.page
    Image.new("RGB", (600, 400), (grey,) * 3).save(tmp_path / "even.png")
    visitor.upload(tmp_path / "even.png")
    page.mouse.move(5, 5)
    page.locator("#viewer .play").focus()
    bare = visitor.screenshot().astype(int)
    visitor.choose(0)
    page.mouse.move(5, 5)
    lit = visitor.screenshot().astype(int)
    page.add_style_tag(content="#viewer .outline { visibility: hidden }")
    light = visitor.screenshot().astype(int)
    page.evaluate("document.head.lastElementChild.remove()")
    inside = np.s_[20:-20, 20:-20]
    assert (light - bare)[inside].min() >= -2, "the light darkens the photo"
    assert np.abs(lit - bare)[inside].max() > 100, "nothing is to be seen"


def test_styles_of_masks_differ_and_colours_turn_grey(reader):
    page = reader.page
    reader.choose(1)
    drawn = {}
    for style in ("light", "colour", "outline"):
        page.locator("#viewer .style").select_option(style)
        reader.settled(1)
        drawn[style] = reader.screenshot().astype(int)
    page.locator("#viewer .style").select_option("light")
    assert all(np.abs(a - b).max() > 30 for a, b in itertools.combinations(drawn.values(), 2))
    colourful = lambda pixels: (pixels.max(axis=2) - pixels.min(axis=2)).sum()
    assert colourful(drawn["colour"]) < colourful(drawn["outline"])


def test_the_sentence_can_be_copied_as_text_and_as_alt(reader):
    page, words = reader.page, reader.words()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.bring_to_front()
    sentence = f"{' '.join(words).capitalize()}."
    assert page.locator("#viewer .plain").text_content() == sentence
    assert page.locator("#viewer .length").text_content() == f"{len(sentence)} characters"
    for kind, wanted in (("text", sentence), ("alt", f'alt="{sentence}"')):
        page.click(f"#viewer [data-copy={kind}]")
        page.locator("#viewer .copied").filter(has_text="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == wanted


def test_a_word_that_the_mouse_only_crosses_is_not_chosen(reader):
    page = reader.page
    reader.choose(1)
    cross = """node => ["enter", "leave"].forEach((what) =>
        node.dispatchEvent(new PointerEvent(`pointer${what}`, { pointerType: "mouse" })))"""
    page.locator("#viewer .word").nth(2).evaluate(cross)
    page.wait_for_timeout(300)
    assert page.locator("#viewer .word[aria-pressed=true] .text").text_content() == reader.words()[1]


def test_the_legend_tells_only_of_marks_that_are_in_sight(reader):
    page = reader.page
    bars = page.locator("#viewer .legend").get_by_text("how probable")
    for view, has_bars in (("sheet", False), ("matrix", False), ("words", True)):
        page.click(f"#viewer [data-view={view}]")
        assert bars.is_visible() == has_bars


def test_terms_are_explained_on_hover_on_focus_and_on_a_tap(reader):
    page = reader.page
    reader.choose(1)
    told = page.locator("#viewer .explanation")
    terms = page.locator("#viewer .term:visible")
    texts = set()
    for i in range(terms.count()):
        terms.nth(i).click()
        assert told.is_visible()
        texts.add(told.text_content())
    assert len(texts) == terms.count() > 4
    page.keyboard.press("Escape")
    assert told.is_hidden()


def test_captions_of_the_search_stand_in_the_order_of_their_numbers(reader):
    page = reader.page
    rows = page.locator("#viewer .one")
    numbers = [float(row.get_attribute("style").split(":")[1].rstrip("; ")) for row in rows.all()]
    assert numbers == sorted(numbers, reverse=True)
    small = {"a", "an", "the", "and", "of", "in", "on", "at", "with"}
    named = [frozenset(text.split()) - small for text in page.locator("#viewer .one .text").all_text_contents()]
    assert len(set(named)) == len(named)


def test_another_word_is_marked_and_can_be_undone(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(WIDE))
    assert page.locator("#viewer .undo").is_hidden()
    visitor.choose(1)
    texts = page.locator("#viewer .alternative .text").all_text_contents()
    place = next(i for i, text in enumerate(texts) if text not in (words[1], "end here"))
    page.locator("#viewer .alternative").nth(place).click()
    page.locator("#viewer .word.changed").first.wait_for(timeout=30_000)
    assert page.locator("#viewer .word.changed .text").first.text_content() == texts[place]
    page.click("#viewer .undo")
    assert visitor.words() == words and page.locator("#viewer .word.changed").count() == 0
    assert page.locator("#viewer .undo").is_hidden()


def test_words_that_only_moved_are_not_marked(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(WIDE))
    assert words[4:6] == ["left", "of"], f"the model reads this picture wrong: {words}"
    visitor.choose(4)
    page.locator("#viewer .alternative").filter(has_text="above").click()
    page.locator("#viewer .word.changed").first.wait_for(timeout=30_000)
    assert page.locator("#viewer .word.changed .text").all_text_contents() == ["above"]
    assert visitor.words() == [*words[:4], "above", *words[6:]]


def test_a_phone_shows_two_models_one_below_the_other(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("tab", name="Two models").click()
    left, right = (page.locator(f"#{side}-viewer").bounding_box() for side in ("left", "right"))
    assert left["x"] == right["x"] and left["width"] > 300 and right["y"] >= left["y"] + left["height"]


def test_changed_settings_offer_to_caption_again(visitor, picture):
    page, _ = visitor.page, visitor.upload(picture(WIDE))
    assert "beam search, 5 wide" in page.locator("#viewer .method").text_content()
    page.wait_for_selector("#caption", state="hidden")
    page.click("#settings button")
    page.get_by_label("Greedy").check()
    page.wait_for_selector("#caption", state="visible")
    page.click("#caption")
    page.wait_for_selector("#caption", state="hidden", timeout=30_000)
    assert page.locator("#viewer .method").text_content().startswith("greedy")
    page.get_by_label("Beam search").check()
    page.click("#settings button")


def test_a_model_of_shapes_warns_of_photos_and_has_a_card(visitor, picture, server):
    page = visitor.page
    page.get_by_role("button", name="Example: dog").first.click()
    visitor.captioned()
    assert "Made for drawn shapes" in page.locator("#viewer .warning").inner_text()
    address = page.locator("#viewer .card").get_attribute("href")
    assert "# models/shapes" in page.request.get(f"{server}{address}").text()
    assert page.request.get(f"{server}/card/nothing").status == 404
    visitor.upload(picture(WIDE))
    page.locator("#viewer .warning").wait_for(state="hidden")
