"""The demo page as a visitor meets it: real server, real model, real browser."""

from __future__ import annotations

import csv
import itertools
import json
import math
import pathlib

import numpy as np
import pytest
from PIL import Image

from captioner.pictures.geometry import map_to_picture
from tests.browser.visitor import Visitor, ask

ROOT = pathlib.Path(__file__).parents[2]
WIDE, TALL = (700, 300), (260, 640)


@pytest.mark.parametrize("size", [WIDE, pytest.param(TALL, marks=pytest.mark.slow)], ids=["wide", "tall"])
def test_every_mask_is_drawn_where_the_model_looked(visitor, picture, client, size):
    path = picture(size)
    words = visitor.upload(path)
    masks = [np.array(word["mask"], np.float32) for word in ask(client, path, api_name="/caption")["words"]]
    resize = json.loads((ROOT / "models/shapes/config.json").read_text())["encoder"]["resize"]
    assert len(words) == len(masks) > 1
    for word, mask, levels in zip(words, masks, visitor.walk(), strict=True):
        heat = map_to_picture(mask, size, resize)
        wanted = np.unravel_index(heat.argmax(), heat.shape) / np.array(heat.shape)
        brightest = np.argwhere(levels >= levels.max() - 1) / levels.shape
        cells_away = np.abs(brightest - wanted) * mask.shape
        assert cells_away.max(axis=1).min() <= 1, f"{word}: {cells_away}"


def test_hover_keys_and_play_walk_through_the_words(reader):
    page, words = reader.page, reader.words()
    last = len(words) - 1
    buttons = page.locator("#viewer .word")
    assert page.locator("#viewer .announcement").text_content() == f"{' '.join(words).capitalize()}."
    assert reader.mask().max() == 0

    buttons.nth(1).hover()
    reader.settled(1)
    assert reader.mask().max() > 0
    assert page.locator("#viewer .chosen .text").text_content() == words[1]
    assert page.locator("#viewer .alternative").count() == 5
    assert "%" in buttons.nth(1).locator(".share").text_content()

    page.mouse.move(0, 0)  # else a word that comes to lie under the pointer is chosen between two keys
    page.locator("#viewer .stage").focus()
    keys = [("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last), ("ArrowRight", last)]
    for key, index in [*keys, ("Home", 0)]:
        page.keyboard.press(key)
        reader.settled(index)
        assert buttons.nth(index).get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    reader.settled(-1)
    assert reader.mask().max() == 0

    reader.choose(last)
    page.click("#viewer .play")
    for index in (0, 1):
        reader.settled(index)
    page.click("#viewer .play")
    assert page.locator("#viewer .play").inner_text().strip() == "Play"


def test_contact_sheet_and_matrix_show_all_words(reader):
    page, words = reader.page, reader.words()
    page.get_by_role("button", name="All words", exact=True).click()
    assert page.locator("#viewer .thumbnail .text").all_text_contents() == words
    page.locator("#viewer .thumbnail").nth(1).click()
    reader.settled(1)
    page.get_by_role("button", name="Matrix").click()
    assert page.locator("#viewer .matrix button.name").all_text_contents() == words
    page.locator("#viewer .strip").nth(2).hover()
    reader.settled(2)
    assert "%" in page.locator("#viewer .matrix .foot .name").text_content()
    page.get_by_role("button", name="Photo", exact=True).click()


def test_a_region_ranks_the_words_that_looked_there(reader, photo_to_read, client):
    page, words = reader.page, reader.words()
    masks = [np.array(word["mask"]) for word in ask(client, photo_to_read, api_name="/caption")["words"]]
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    reader.drag((0.5, 0.002), (-0.1, 1.1))  # beyond the edge counts as the edge
    wanted = [mask[:, : mask.shape[1] // 2].sum() for mask in masks]
    order = sorted(range(len(words)), key=lambda index: -wanted[index])
    shown = page.locator("#viewer .looker .share").all_text_contents()
    for index, text in zip(order, shown, strict=True):
        percent = 0.0 if text.startswith("<") else float(text.removesuffix(" %"))
        assert percent == pytest.approx(100 * wanted[index], abs=1.6)
    assert page.locator("#viewer .looker .text").first.text_content() == words[order[0]]

    page.keyboard.press("Escape")
    assert page.locator("#viewer .region").is_hidden()
    page.locator("#viewer .look-back").click()
    before = page.locator("#viewer .region").bounding_box()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    after = page.locator("#viewer .region").bounding_box()
    assert after["x"] < before["x"] and after["height"] == pytest.approx(2 * before["height"], rel=0.05)
    page.locator("#viewer .look-back").click()
    assert requests == []


def test_files_to_take_away(reader):
    page, words = reader.page, reader.words()
    assert page.locator("#viewer .files [data-kind=word]").is_disabled()
    reader.choose(1)
    for kind, opens in [("word", "PNG"), ("share", "PNG"), ("webp", "WEBP"), ("json", None)]:
        with page.expect_download(timeout=30_000) as download:
            page.click(f"#viewer .files [data-kind={kind}]")
        path = download.value.path()
        if opens:
            with Image.open(path) as image:
                assert image.format == opens and min(image.size) > 100
                assert kind != "webp" or image.n_frames > len(words)
        else:
            assert [word["text"] for word in json.loads(path.read_text())["words"]] == words


def test_a_photo_may_be_removed_while_its_mask_still_glides(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(WIDE))
    late = 1000  # milliseconds; longer than the page needs to empty the viewer
    page.evaluate(
        """late => {
            window.ownFrames = [requestAnimationFrame, cancelAnimationFrame];
            requestAnimationFrame = draw => setTimeout(() => draw(performance.now()), late);
            cancelAnimationFrame = clearTimeout;
        }""",
        late,
    )
    page.locator("#viewer .word").nth(len(words) - 1).click()
    page.click("#photo [aria-label='Remove Image']")
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')
    page.wait_for_timeout(2 * late)  # the page itself logs the error that the fixture looks for
    page.evaluate("() => { [requestAnimationFrame, cancelAnimationFrame] = window.ownFrames; }")


def test_words_are_written_one_after_the_other(visitor, picture):
    visitor.page.evaluate("""() => {
        window.seen = [];
        const count = () => document.querySelectorAll("#viewer .word").length;
        new MutationObserver(() => window.seen.at(-1) !== count() && window.seen.push(count()))
            .observe(document.querySelector("#viewer .words"), { childList: true });
    }""")
    words = visitor.upload(picture(WIDE))
    seen = visitor.page.evaluate("window.seen")
    assert len([n for n in seen if 0 < n <= len(words)]) >= 3, seen


@pytest.mark.slow
def test_contrast_per_word_changes_only_weaker_words_and_cells_are_flat(visitor, picture):
    page, _ = visitor.page, visitor.upload(picture(WIDE))
    drawn = visitor.walk()
    shared = np.array([levels.max() for levels in drawn])
    page.locator("#viewer .contrast input").check()
    own = np.array([levels.max() for levels in visitor.walk()])
    page.locator("#viewer .contrast input").uncheck()
    assert own.min() == pytest.approx(shared.max(), abs=8) and np.all(own >= shared - 2)
    assert shared.min() < own.min() - 8, "the words of this caption all have the same peak, so it tells nothing"
    assert any(not np.array_equal(a, b) for a, b in itertools.pairwise(drawn))

    page.locator("#viewer .cells input").check()
    visitor.choose(0)
    assert len(np.unique(visitor.mask())) <= 64 < len(np.unique(drawn[0])) + 64
    page.locator("#viewer .cells input").uncheck()
    page.locator("#viewer .strength input").fill("0")
    assert page.locator("#viewer .mask").evaluate("mask => getComputedStyle(mask).opacity") == "0"
    page.locator("#viewer .strength input").fill("75")


def test_another_word_rewrites_the_rest(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(WIDE))
    visitor.choose(1)
    texts = page.locator("#viewer .alternative .text").all_text_contents()
    place = next(i for i, text in enumerate(texts) if text not in (words[1], "end here"))
    page.locator("#viewer .alternative").nth(place).click()
    page.locator("#viewer .word > .text").nth(1).filter(has_text=texts[place]).wait_for(timeout=30_000)
    rewritten = visitor.captioned()
    assert rewritten[:2] == [words[0], texts[place]]
    visitor.settled(1)
    assert visitor.mask().max() > 0


def test_captions_stand_side_by_side(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(WIDE))
    texts = [" ".join(text.split()) for text in page.locator("#viewer .one .text").all_text_contents()]
    assert len(set(texts)) == len(texts) > 1 and " ".join(words) in texts
    other = next(i for i, text in enumerate(texts) if text != " ".join(words))
    page.locator("#viewer .one").nth(other).click()
    assert " ".join(visitor.captioned()) == texts[other]
    assert page.locator("#viewer .one").nth(other).get_attribute("aria-pressed") == "true"


def test_a_mask_is_checked_by_blurring_out(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(WIDE))
    visitor.choose(len(words) - 1)
    page.click("#viewer .check")
    page.wait_for_selector("#viewer .verdict", timeout=30_000)
    shares = page.locator("#viewer .tried > .share").all_text_contents()
    attention = page.locator("#viewer .tried .small").all_text_contents()
    assert len(shares) == 3 and all("%" in share for share in shares)
    assert int(attention[0].split()[0]) > 40 and attention[1].startswith(("< 1", "0", "1", "2"))
    for i in (1, 2):
        assert (
            page.locator("#viewer .tried img").nth(i).evaluate("image => image.decode().then(() => image.naturalWidth)")
        )


def test_an_example_is_captioned_when_picked(visitor):
    visitor.page.get_by_role("button", name="Example: dog").first.click()
    visitor.captioned()
    assert (
        visitor.page.locator("#viewer .photo").evaluate("photo => photo.decode().then(() => photo.naturalWidth)") > 300
    )


@pytest.mark.slow
def test_a_photo_may_be_pasted_or_taken(page, server):
    page.context.grant_permissions(["camera", "clipboard-read", "clipboard-write"])
    page = page.context.new_page()  # once used, the field stays with the clipboard or the camera
    page.goto(server)
    visitor, field = Visitor(page), page.locator("#photo")
    visitor.captioned()  # the example that the page starts with
    page.click("#photo [aria-label='Remove Image']")
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')
    page.bring_to_front()
    page.evaluate("""async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 300, height: 200 });
        canvas.getContext("2d").fillRect(40, 40, 80, 80);
        const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
        await navigator.clipboard.write([new ClipboardItem({ "image/png": picture })]);
    }""")
    field.get_by_role("button", name="Paste from clipboard").click()
    assert visitor.captioned()
    assert page.locator("#viewer .photo").evaluate("photo => photo.decode().then(() => photo.naturalWidth)") == 300
    page.click("#photo [aria-label='Remove Image']")
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')

    field.get_by_role("button", name="Capture from camera").click()
    page.get_by_text("Click to Access Webcam").first.click()
    page.wait_for_function("document.querySelector('#photo video')?.currentTime > 0.1")
    field.get_by_role("button", name="capture photo").click()
    assert visitor.captioned()
    page.close()


def test_a_wrong_file_is_refused_in_words_and_leaves_no_old_caption(visitor, picture, tmp_path):
    page = visitor.page
    visitor.upload(picture(WIDE))
    wrong = tmp_path / "no <b>picture.png"
    wrong.write_text("hello")
    page.set_input_files("#photo input[type=file]", wrong)
    message = page.locator(".toast-body").inner_text(timeout=10_000)
    assert "no <b>picture.png" in message and "not a picture" in message and str(tmp_path) not in message
    page.wait_for_selector('#viewer .viewer[data-state="empty"]')


def test_a_path_that_was_not_uploaded_is_refused(page, server):
    path = str(ROOT / "demo/examples/dog.jpg")
    for endpoint, asked in [("caption", {"photo": {"path": path}}), ("captions", {"photos": [{"path": path}]})]:
        answer = page.request.post(f"{server}/gradio_api/call/v2/{endpoint}", data=asked)
        result = page.request.get(f"{server}/gradio_api/call/v2/{endpoint}/{answer.json()['event_id']}").text()
        assert "event: error" in result and "not uploaded" in result, result


def test_the_page_for_programs_offers_nothing_that_is_not_there(page):
    page.get_by_role("button", name="Use via API").click()
    ways = page.locator(".snippet")
    ways.filter(has_text="Python").wait_for()
    assert ways.filter(has_text="cURL").is_visible() and ways.filter(has_text="MCP").is_hidden()
    page.locator(".api-docs .backdrop").click(position={"x": 20, "y": 400})
    ways.first.wait_for(state="hidden")


def test_many_photos_give_a_table_to_take_away(visitor, picture, client, tmp_path):
    page, good, bad = visitor.page, picture(WIDE), tmp_path / "bad.png"
    bad.write_text("hello")
    tall = tmp_path / "tall.png"
    Image.open(good).rotate(90, expand=True).save(tall)
    page.get_by_role("tab", name="Many photos").click()
    page.set_input_files("#photos input[type=file]", [good, bad, tall])
    page.wait_for_selector('.batch[data-state="done"]', timeout=60_000)
    wanted = [ask(client, path, api_name="/caption")["text"] for path in (good, tall)]
    texts = page.locator(".batch td .text").all_text_contents()
    assert [texts[0], texts[2]] == [f"{text.capitalize()}." for text in wanted] and "not a picture" in texts[1]
    assert page.locator(".batch .count").text_content() == "3 photos, 1 could not be read"

    rows = {}
    for kind in ("csv", "json"):
        page.locator(f"#{kind}:not([disabled])").wait_for()
        with page.expect_download() as download:
            page.click(f"#{kind}")
        rows[kind] = download.value.path().read_text(encoding="utf-8-sig")
    found = list(csv.DictReader(rows["csv"].splitlines()))
    assert [row["caption"] for row in found] == [wanted[0], "", wanted[1]]
    assert [row["image"] for row in found] == ["shapes.png", "bad.png", "tall.png"]
    assert float(found[0]["confidence"]) == pytest.approx(math.exp(float(found[0]["score"])), abs=1e-3)
    found = json.loads(rows["json"])
    assert [row.get("text") for row in found] == [wanted[0], None, wanted[1]] and "not a picture" in found[1]["error"]


@pytest.mark.slow
def test_two_models_stand_side_by_side(page, picture):
    page.get_by_role("tab", name="Two models").click()
    left, right = (Visitor(page, f"#{side}-viewer", "#compare-photo") for side in ("left", "right"))
    left.upload(picture(WIDE))
    assert right.captioned() != left.words()
    names = [view.viewer.locator(".written-by").text_content() for view in (left, right)]
    assert names[0] == "shapes" and names[1] != "shapes"
    tops = [view.viewer.locator(".stage").bounding_box()["y"] for view in (left, right)]
    assert right.viewer.locator(".warning").inner_text() and tops[0] == tops[1], "a warning moves one photo down"
    right.choose(1)
    assert right.mask().max() > 0 and left.mask().max() == 0


def test_a_pair_shows_two_mechanisms_on_one_scene(page):
    page.get_by_role("tab", name="Two models").click()
    page.get_by_role("button", name="Soft and hard attention on a scene of shapes").click()
    left, right = (Visitor(page, f"#{side}-viewer", "#compare-photo") for side in ("left", "right"))
    assert left.captioned() and right.captioned()
    assert [view.viewer.locator(".written-by").text_content() for view in (left, right)] == ["shapes", "shapes_hard"]
    assert not right.viewer.locator(".warning").is_visible()
    for view in (left, right):
        view.choose(2)
    # Hard attention looks at one of 8 x 8 cells; whatever light there is lies within two cells of it.
    soft, hard = ((view.mask() > view.mask().max() / 8).mean() for view in (left, right))
    assert 0 < hard < 9 / 64 and soft > hard


@pytest.mark.slow
def test_settings_reach_the_search(visitor, picture):
    page, path = visitor.page, picture(WIDE)
    words = visitor.upload(path)
    page.click("#settings button")
    page.get_by_label("Greedy").check()
    page.wait_for_selector("#beam-width", state="hidden")
    page.locator("#max-words input[type=number]").fill("2")
    page.locator("#max-words input[type=number]").press("Enter")
    page.click("#caption")
    page.wait_for_function("document.querySelectorAll('#viewer .word').length === 2", timeout=60_000)
    assert visitor.captioned() == words[:2]
    assert page.locator("#viewer .others").is_hidden()
    page.locator("#max-words input[type=number]").fill("12")
    page.get_by_label("Beam search").check()
    page.click("#settings button")


@pytest.mark.slow
def test_words_are_asked_for_and_left_out(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(WIDE))
    assert "cross" in words and not {"green", "purple"} & set(words)
    without, with_these = (page.locator(f"#{name}-words [data-testid=textbox]") for name in ("forbidden", "required"))
    page.click("#settings button")
    without.fill("cross")
    with_these.fill("green|purple")
    page.click("#caption")
    page.wait_for_function(
        "[...document.querySelectorAll('#viewer .word > .text')].some((word) => /green|purple/.test(word.textContent))",
        timeout=60_000,
    )
    assert "cross" not in visitor.captioned() and "forbidden-words=cross" in page.url
    without.fill("")
    with_these.fill("qqqq")
    page.click("#caption")
    page.locator(".toast-body", has_text="the model does not know the word 'qqqq'").wait_for(timeout=30_000)
    with_these.fill("")
    page.click("#settings button")


def test_the_page_fits_phone_and_desk_in_light_and_dark(visitor, picture):
    page, words = visitor.page, visitor.upload(picture(TALL))
    visitor.choose(1)
    for scheme, width in [("light", 1920), ("dark", 1280), ("dark", 360), ("light", 360)]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        visitor.settled(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator("#viewer .stage").bounding_box()
        assert box["width"] / box["height"] == pytest.approx(TALL[0] / TALL[1], rel=0.02)
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] > 250
        for index in range(len(words)):
            word = page.locator("#viewer .word").nth(index).bounding_box()
            assert word["x"] >= 0 and word["x"] + word["width"] <= width
