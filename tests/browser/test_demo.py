"""The demo page as a visitor meets it: real server, real model, real browser."""

from __future__ import annotations

import base64
import itertools
import json
import pathlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from captioner.image import map_to_picture

ROOT = pathlib.Path(__file__).parents[2]
WIDE, TALL = (700, 300), (260, 640)

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


def upload(page, path: pathlib.Path) -> list[str]:
    """Put a file into the upload field and wait for its caption; returns the words."""
    page.set_input_files("#photo input[type=file]", path)
    page.wait_for_selector(".viewer .word", timeout=30_000)
    return page.locator(".viewer .word > .text").all_text_contents()


def chosen(page, index: int) -> np.ndarray:
    """Wait until word `index` (-1: none) is shown; returns the mask as drawn, (height, width)."""
    page.wait_for_selector(f'.viewer .stage[data-settled="{index}"]')
    drawn = page.locator(".viewer .mask").evaluate(LEVELS)
    levels = np.frombuffer(base64.b64decode(drawn["levels"]), np.uint8)
    return levels.reshape(drawn["height"], drawn["width"]).astype(np.int32)


def walk(page, count: int) -> list[np.ndarray]:
    """The mask of every word as drawn, walking through the caption with the keyboard."""
    page.locator(".viewer .stage").focus()
    page.keyboard.press("Home")
    drawn = []
    for index in range(count):
        drawn.append(chosen(page, index))
        page.keyboard.press("ArrowRight")
    return drawn


def masks_of(server: str, path: pathlib.Path) -> list[np.ndarray]:
    """Masks of the same picture from the API, as the model gave them."""
    from gradio_client import Client, handle_file

    answer = Client(server, verbose=False, analytics_enabled=False).predict(handle_file(path), 5, api_name="/caption")
    return [np.array(word["mask"], np.float32) for word in answer["words"]]


@pytest.mark.parametrize("size", [WIDE, TALL], ids=["wide", "tall"])
def test_every_mask_lies_where_the_model_looked(page, server, picture, size):
    path = picture(size)
    words = upload(page, path)
    masks = masks_of(server, path)
    resize = json.loads((ROOT / "models/shapes/config.json").read_text())["encoder"]["resize"]
    assert len(words) == len(masks) > 1

    photo, canvas = page.locator(".viewer .photo").bounding_box(), page.locator(".viewer .mask").bounding_box()
    assert photo == canvas and photo["width"] / photo["height"] == pytest.approx(size[0] / size[1], rel=0.02)

    drawn = walk(page, len(words))
    for word, mask, levels in zip(words, masks, drawn, strict=True):
        heat = map_to_picture(mask, size, resize)
        wanted = np.unravel_index(heat.argmax(), heat.shape) / np.array(heat.shape)
        brightest = np.argwhere(levels >= levels.max() - 1) / levels.shape
        cells_away = np.abs(brightest - wanted) * mask.shape
        assert cells_away.max(axis=1).min() <= 1, f"{word}: {cells_away}"
    assert any(not np.array_equal(a, b) for a, b in itertools.pairwise(drawn))


def test_hover_keys_and_play_walk_through_the_words(page, picture):
    words = upload(page, picture(WIDE))
    last = len(words) - 1
    buttons = page.locator(".viewer .word")

    buttons.nth(1).hover()
    assert chosen(page, 1).max() > 0
    assert page.locator(".viewer .chosen .text").text_content() == words[1]
    assert page.locator(".viewer .alternative").count() == 5
    assert "%" in buttons.nth(1).locator(".share").text_content()

    page.locator(".viewer .stage").focus()
    for key, index in [("ArrowRight", 2), ("ArrowLeft", 1), ("End", last), ("ArrowRight", last), ("Home", 0)]:
        page.keyboard.press(key)
        chosen(page, index)
        assert buttons.nth(index).get_attribute("aria-pressed") == "true"
    page.keyboard.press("Escape")
    assert chosen(page, -1).max() == 0

    buttons.nth(last).click()
    chosen(page, last)
    page.click(".viewer .play")
    for index in (0, 1):
        chosen(page, index)
    page.click(".viewer .play")
    assert page.locator(".viewer .play").text_content().strip() == "Play"


def test_the_scale_switch_changes_only_weaker_words(page, picture):
    words = upload(page, picture(WIDE))
    shared = np.array([levels.max() for levels in walk(page, len(words))])
    page.locator(".viewer .shared input").uncheck()
    own = np.array([levels.max() for levels in walk(page, len(words))])
    page.locator(".viewer .shared input").check()
    assert own.min() == pytest.approx(shared.max(), abs=8) and np.all(own >= shared - 2)
    assert shared.min() < own.min() - 8, "the words of this caption all have the same peak, so it tells nothing"


def test_an_example_is_captioned_when_picked(page):
    page.locator("#examples button").first.click()
    page.wait_for_selector(".viewer .word", timeout=30_000)
    assert page.locator(".viewer .photo").evaluate("photo => photo.decode().then(() => photo.naturalWidth)") > 300


def test_a_wrong_file_is_refused_in_words_and_leaves_no_old_caption(page, picture, tmp_path):
    upload(page, picture(WIDE))
    wrong = tmp_path / "no <b>picture.png"
    wrong.write_text("hello")
    page.set_input_files("#photo input[type=file]", wrong)
    message = page.locator(".toast-body").inner_text(timeout=10_000)
    assert "no <b>picture.png" in message and "not a picture" in message and str(tmp_path) not in message
    page.wait_for_selector('.viewer[data-state="empty"]')


def test_a_path_that_was_not_uploaded_is_refused(page, server):
    answer = page.request.post(
        f"{server}/gradio_api/call/caption", data={"data": [{"path": str(ROOT / "demo/examples/dog.jpg")}, 5]}
    )
    result = page.request.get(f"{server}/gradio_api/call/caption/{answer.json()['event_id']}").text()
    assert "event: error" in result and "not uploaded" in result


def test_the_page_fits_phone_and_desk_in_light_and_dark(page, picture):
    upload(page, picture(WIDE))
    page.locator(".viewer .word").nth(1).click()
    for scheme, width in [("light", 1280), ("dark", 1280), ("dark", 360), ("light", 360)]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        chosen(page, 1)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".viewer .stage").bounding_box()["width"] > 0.5 * min(width, 800)
