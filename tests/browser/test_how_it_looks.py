"""How it looks: one scroll, four steps, and the numbers of the model that runs."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pytest

from tests.browser.visitor import Visitor, ask

ROOT = pathlib.Path(__file__).parents[2]
STEPS = ("grid", "question", "weights", "word")
WIDE = (700, 300)


@pytest.fixture
def how(page, visitor, picture):
    """The page, explaining a photo that was captioned before."""
    visitor.upload(picture(WIDE))
    page.get_by_role("tab", name="How it looks").click()
    shown = '.how[data-state="filled"]'
    page.wait_for_selector(shown, timeout=60_000)
    page.wait_for_function("document.querySelector('.how .photo').naturalWidth === 700")
    yield page
    page.evaluate("scrollTo(0, 0)")


def test_its_numbers_are_those_of_the_model(how, picture, client):
    told = ask(client, picture(WIDE), api_name="/caption")
    config = json.loads((ROOT / "models/shapes/config.json").read_text())
    words = how.locator(".how .words button")
    assert words.all_text_contents() == [word["text"] for word in told["words"]]
    words.nth(1).click()
    word = told["words"][1]
    mask = np.array(word["mask"])
    fact = lambda name: how.locator(f"[data-fact={name}]").first.text_content()
    assert fact("grid") == f"{mask.shape[0]} × {mask.shape[1]}" and fact("cells") == str(mask.size)
    assert fact("state") == str(config["decoder"]["lstm_units"])
    assert fact("before") == told["words"][0]["text"]
    assert float(fact("most").split()[0]) == pytest.approx(100 * mask.max(), abs=0.6)
    shown = how.locator(".likeliest .text").all_text_contents()
    assert shown == [text.replace("<end>", "(end)") for text, _ in word["alternatives"]]
    share = float(how.locator(".likeliest .share").first.text_content().split()[0])
    assert share == pytest.approx(100 * word["alternatives"][0][1], abs=0.6)


def test_one_scroll_leads_through_the_steps_while_the_photo_stays(how):
    read = []
    for _ in range(60):
        step = how.locator(".how").get_attribute("data-step")
        if step not in read:
            read.append(step)
            if len(read) > 1:
                box = how.locator(".how .stage").bounding_box()
                assert box["y"] >= 0 and box["y"] + box["height"] <= 900, f"the photo is out of sight at {step}"
        how.mouse.wheel(0, 60)
        how.wait_for_timeout(30)
    assert tuple(read) == STEPS


# The page scrolls to a step, and what glides by under the mouse is told as well.
AT_REST = "() => { const before = window.before; window.before = scrollY; return before === scrollY; }"


def test_it_works_by_keyboard(how):
    for step in STEPS[::-1]:
        how.locator(f".places [data-step={step}]").focus()
        how.keyboard.press("Enter")
        how.wait_for_selector(f'.how[data-step="{step}"]')
    how.locator(".how .stage").focus()
    how.wait_for_function(AT_REST, polling=200)
    how.keyboard.press("ArrowRight")
    assert how.locator(".how .told").text_content().startswith("Row 1, column 1: ")
    how.keyboard.press("ArrowDown")
    assert how.locator(".how .told").text_content().startswith("Row 2, column 1: ")
    how.keyboard.press("Escape")
    how.locator(".how .words button[aria-pressed=true]").focus()
    how.keyboard.press("ArrowLeft")
    how.keyboard.press("ArrowLeft")
    chosen = how.locator(".how .words button[aria-pressed=true]").text_content()
    assert how.evaluate("document.activeElement.textContent") == chosen


def test_it_explains_an_example_to_who_has_no_photo_and_fits_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("tab", name="How it looks").click()
    page.wait_for_selector('.how[data-state="filled"]', timeout=60_000)
    for step in STEPS:
        page.click(f".places [data-step={step}]")
        page.wait_for_selector(f'.how[data-step="{step}"]')
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.evaluate("scrollTo(0, 0)")
    assert Visitor(page).words() == []
