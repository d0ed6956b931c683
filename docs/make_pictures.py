"""Draw the pictures of the README, from the top of the checkout: PYTHONPATH=. python docs/make_pictures.py

The demo's page is photographed in Chromium through Playwright (requirements-dev.txt); the others need only the models.
"""

from __future__ import annotations

import io
import pathlib
import shutil
import subprocess
import sys

import numpy as np
from PIL import Image

from captioner import Captioner
from captioner.drawing import contact_sheet
from training.shapes import draw_scene, sample_scene

ROOT = pathlib.Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
EXAMPLES = ROOT / "demo" / "examples"
PORT = 7979


def save(picture: Image.Image, name: str) -> None:
    """Write a JPEG small enough for a README."""
    picture.convert("RGB").save(IMAGES / name, quality=88, optimize=True)
    print(f"{name}: {picture.width}x{picture.height}, {(IMAGES / name).stat().st_size / 1000:.0f} kB")


def draw_sheets() -> None:
    """One photo and one scene of shapes with the masks of their words."""
    save(contact_sheet(Captioner.from_pretrained("flickr8k").caption(EXAMPLES / "dog.jpg")), "caption.jpg")
    rng = np.random.default_rng(11)
    scene = next(s for s in iter(lambda: sample_scene(rng), None) if len({shape.look for shape in s.shapes}) == 2)
    save(contact_sheet(Captioner.from_pretrained("shapes").caption(draw_scene(scene, 256))), "shapes.jpg")


def photograph_demo() -> None:
    """The page with a caption and the mask of one of its words."""
    from playwright.sync_api import sync_playwright

    server = subprocess.Popen(
        [sys.executable, "-m", "demo", "--port", str(PORT)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        server.stdout.readline()  # it says when it is ready
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 960}, device_scale_factor=1)
            page.goto(f"http://127.0.0.1:{PORT}")
            page.locator("#photo input[type=file]").set_input_files(EXAMPLES / "skier.jpg")
            words = page.locator("#viewer .word")
            words.nth(5).wait_for(timeout=120_000)
            words.nth(5).click()
            page.wait_for_timeout(1500)
            shot = page.screenshot()
            browser.close()
    finally:
        server.terminate()
        server.wait()
    save(Image.open(io.BytesIO(shot)), "demo.jpg")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    draw_sheets()
    photograph_demo()
