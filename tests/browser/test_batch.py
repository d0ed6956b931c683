"""Many photos: a table that fills by itself, opens in the viewer, and can be stopped, filtered and packed."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.browser.visitor import Visitor
from training.shapes import draw_scene, sample_scene


@pytest.fixture
def scenes(tmp_path):
    def draw(count: int):
        paths = []
        for i in range(count):
            paths.append(tmp_path / f"scene-{i}.png")
            draw_scene(sample_scene(np.random.default_rng(300 + i)), 160).save(paths[-1])
        return paths

    return draw


@pytest.fixture
def many(page):
    """The page at the tab for many photos, and without any afterwards."""
    page.get_by_role("tab", name="Many photos").click()
    yield page
    page.get_by_role("tab", name="Many photos").click()
    if page.locator("#photos [aria-label='Clear']").count():
        page.click("#photos [aria-label='Clear']")
    page.wait_for_selector('.batch[data-state="empty"]')


def give(page, paths) -> None:
    page.set_input_files("#photos input[type=file]", paths)


def done(page) -> list[str]:
    page.wait_for_selector('.batch[data-state="done"]', timeout=60_000)
    return page.locator(".batch td .text").all_text_contents()


def test_a_row_opens_in_the_viewer_with_its_caption(many, scenes):
    give(many, scenes(3))
    sentences = done(many)
    assert not many.locator("[title^='common.']:visible").count(), "a name of Gradio's own is left untranslated"
    many.locator(".batch button.text").nth(1).click()
    many.wait_for_selector("#viewer .word")
    words = Visitor(many).captioned()
    assert f"{' '.join(words)}.".lower() == sentences[1].lower()
    assert many.locator('#tabs [aria-selected="true"]').text_content() == "One photo"


def test_rows_are_found_by_word_file_and_kind(many, scenes, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_text("hello")
    give(many, [*scenes(3), bad])
    sentences = done(many)
    shown = lambda: many.locator(".batch tbody tr:visible .file").all_text_contents()
    word = sentences[0].split()[-1].rstrip(".")
    many.fill(".batch .words", word.upper())
    wanted = [f"scene-{i}.png" for i in range(3) if word in sentences[i].lower()]
    assert shown() == wanted and wanted
    many.fill(".batch .words", "scene-2")
    assert shown() == ["scene-2.png"]
    many.fill(".batch .words", "")
    many.select_option(".batch .kind", "error")
    assert shown() == ["bad.png"]
    many.select_option(".batch .kind", "unsure")
    assert shown() == [] and many.locator(".batch .none").is_visible()
    many.select_option(".batch .kind", "all")
    assert len(shown()) == 4


def test_contact_sheets_of_the_rows_in_sight_come_as_a_zip(many, scenes):
    give(many, scenes(3))
    done(many)
    many.fill(".batch .words", "scene-")
    with many.expect_download(timeout=60_000) as download:
        many.click(".batch .sheets")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == [f"00{i + 1}-scene-{i}.jpg" for i in range(3)]
        for name in archive.namelist():
            with Image.open(io.BytesIO(archive.read(name))) as sheet:
                assert sheet.format == "JPEG" and min(sheet.size) > 200
    many.wait_for_selector(".batch .sheets:not([disabled])")


def test_a_batch_says_how_long_and_stops_when_told(many, scenes):
    many.evaluate("""() => {
        window.said = [];
        const count = document.querySelector(".batch .count");
        new MutationObserver(() => window.said.push(count.textContent)).observe(count, { childList: true });
    }""")
    give(many, scenes(24))
    many.locator(".batch .stop").click()
    many.wait_for_selector('.batch[data-state="done"]', timeout=60_000)
    count = many.locator(".batch .count").text_content()
    rows = many.locator(".batch tbody tr").count()
    assert count.startswith(f"Stopped: {rows} of 24") and 0 < rows < 24
    many.locator("#csv:not([disabled])").wait_for()
    with many.expect_download() as download:
        many.click("#csv")
    assert len(download.value.path().read_text(encoding="utf-8-sig").splitlines()) == rows + 1

    many.click("#caption-all")
    many.wait_for_selector('.batch[data-state="running"]')
    assert len(done(many)) == 24
    assert any("about" in text and "left" in text for text in many.evaluate("window.said"))
