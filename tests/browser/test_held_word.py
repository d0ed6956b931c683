"""A word that was clicked stays: on its way to the panel the mouse crosses others."""

WIDE = (700, 300)


def test_a_clicked_word_comes_back_once_the_mouse_has_left_the_others(page, visitor, picture):
    visitor.upload(picture(WIDE))
    words = page.locator("#viewer .word")
    words.nth(1).click()
    words.nth(2).hover()
    page.locator("#viewer .word:nth-child(3)[aria-pressed=true]").wait_for()
    page.locator("#viewer .chosen").hover()
    page.locator("#viewer .word:nth-child(2)[aria-pressed=true]").wait_for()
    page.keyboard.press("Escape")
    words.nth(2).hover()
    page.locator("#viewer .word:nth-child(3)[aria-pressed=true]").wait_for()
    page.locator("#viewer .chosen").hover()
    page.wait_for_timeout(300)
    assert page.locator("#viewer .word:nth-child(3)").get_attribute("aria-pressed") == "true", (
        "nothing was held any more"
    )


def test_what_a_test_of_the_mask_says_is_in_view_before_its_numbers(page, visitor, picture):
    page.set_viewport_size({"width": 1280, "height": 800})
    visitor.upload(picture(WIDE))
    visitor.choose(1)
    page.get_by_role("button", name="Did it need this place?").click()
    verdict = page.locator("#viewer .verdict")
    verdict.wait_for(timeout=30_000)
    assert verdict.inner_text().split(":")[0] in ("Yes", "In part", "No")
    rows = page.locator("#viewer .tried").last.bounding_box()
    assert verdict.bounding_box()["y"] < rows["y"]
    assert rows["y"] + rows["height"] <= 800
