"""axe-core on every state of the page."""

from __future__ import annotations

import pytest


@pytest.fixture
def faults(page):
    """A function that lists the faults of the page as it is now."""
    from axe_playwright_python.sync_playwright import Axe

    def find(state: str) -> list[str]:
        violations = Axe().run(page).response["violations"]
        return [
            f"{state}: {fault['impact']} {fault['id']}: {node['html'][:120]}"
            for fault in violations
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    return find


def test_a_planted_fault_is_found(page, faults):
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button id=nameless></button>')")
    assert any("button-name" in fault for fault in faults("planted"))
    page.evaluate("document.getElementById('nameless').remove()")


def test_axe_finds_no_serious_fault_beside_a_caption_and_its_settings(visitor, picture, faults):
    page, _ = visitor.page, visitor.upload(picture((700, 300)))
    visitor.choose(1)
    page.click("#settings button")
    found = faults("a word and the settings")
    page.click("#settings button")
    assert found == [], "\n".join(["", *found])


@pytest.mark.slow
def test_axe_finds_no_serious_fault_anywhere(visitor, picture, faults):
    page, found = visitor.page, faults("empty")
    visitor.upload(picture((700, 300)))
    visitor.choose(1)
    found += faults("a word")
    page.click("#viewer .check")
    page.wait_for_selector("#viewer .verdict", timeout=30_000)
    page.emulate_media(color_scheme="dark")
    found += faults("checked, dark")
    page.click("#viewer .views [data-view=sheet]")
    found += faults("contact sheet, dark")
    page.emulate_media(color_scheme="light")
    page.click("#viewer .views [data-view=matrix]")
    page.click("#viewer .look-back")
    found += faults("matrix and region")
    page.click("#viewer .look-back")
    page.click("#viewer .views [data-view=words]")
    page.click("#settings button")
    found += faults("settings")
    page.click("#settings button")
    for tab, ready in (
        ("Two models", '#right-viewer .viewer[data-busy=""].leaning-known'),
        ("Many photos", ".batch"),
        ("How it looks", '.how[data-state="filled"]'),
    ):
        page.get_by_role("tab", name=tab).click()
        page.wait_for_selector(ready, timeout=60_000)
        found += faults(tab)
    for step in ("question", "weights", "word"):
        page.click(f".places [data-step={step}]")
        page.wait_for_selector(f'.how[data-step="{step}"]')
        found += faults(step)
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("tab", name="Many photos").click()
    page.set_input_files("#photos input[type=file]", picture((700, 300)))
    page.wait_for_selector('.batch[data-state="done"]', timeout=60_000)
    found += faults("a table")
    page.click("#photos [aria-label='Clear']")
    page.wait_for_selector('.batch[data-state="empty"]')
    assert found == [], "\n".join(["", *found])
