"""A visitor of the demo's page: what is done with a viewer, and what can be seen of it."""

from __future__ import annotations

import base64
import io
import pathlib

import numpy as np
from PIL import Image

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


class Visitor:
    """What a visitor does with a viewer, and what can be seen of it."""

    def __init__(self, page, viewer: str = "#viewer", field: str = "#photo"):
        self.page, self.viewer, self.field = page, page.locator(viewer), field

    def upload(self, path: pathlib.Path) -> list[str]:
        """Put a file, another than the one on view, into the field and wait for its caption; returns the words."""
        before = self.viewer.locator(".photo").get_attribute("src")
        self.page.set_input_files(f"{self.field} input[type=file]", path)
        if before:  # else the caption on view would be taken for the new one's
            self.viewer.locator(f'.photo:not([src="{before}"])').wait_for(state="attached", timeout=60_000)
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


def ask(client, path: pathlib.Path, *arguments, **options):
    """What an endpoint answers about a photo."""
    from gradio_client import handle_file

    return client.predict(handle_file(path), *arguments, **options)
