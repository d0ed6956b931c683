"""Draw the pictures of README and docs, from the top of the checkout: PYTHONPATH=. python docs/make_pictures.py

Pages are photographed in Chromium through Playwright (requirements-dev.txt); the others need only the models.
"""

from __future__ import annotations

import contextlib
import io
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Iterator

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
    save(contact_sheet(Captioner.from_pretrained("photos").caption(EXAMPLES / "dog.jpg")), "caption.jpg")
    rng = np.random.default_rng(11)
    scene = next(s for s in iter(lambda: sample_scene(rng), None) if len({shape.look for shape in s.shapes}) == 2)
    save(contact_sheet(Captioner.from_pretrained("shapes").caption(draw_scene(scene, 256))), "shapes.jpg")


@contextlib.contextmanager
def chromium(**window) -> Iterator:
    """A page in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser.new_page(**window)
        browser.close()


@contextlib.contextmanager
def demo_page() -> Iterator:
    """The page of the demo, with a caption on it."""
    command = [sys.executable, "-m", "demo", "--port", str(PORT)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        server.stdout.readline()  # it says when it is ready
        with chromium(viewport={"width": 1280, "height": 860}) as page:
            written = page.locator('#viewer .viewer[data-busy=""].leaning-known .word').first
            page.goto(f"http://127.0.0.1:{PORT}")
            written.wait_for(timeout=120_000)  # the caption of the example that the page starts with
            first = page.locator("#viewer .photo").get_attribute("src")
            page.get_by_role("button", name="Example: duck").first.click()
            page.locator(f'#viewer .photo:not([src="{first}"])').wait_for(state="attached", timeout=120_000)
            written.wait_for(timeout=120_000)
            yield page
    finally:
        server.terminate()
        server.wait()


def photograph_demo() -> None:
    """The page with the mask of one of its words, and the masks gliding from word to word."""
    with demo_page() as page:
        words = page.locator("#viewer .word")
        pictures = []
        for index in range(words.count()):
            words.nth(index).click()
            page.locator(f'#viewer .stage[data-settled="{index}"]').wait_for()
            page.wait_for_timeout(300)  # until its tint has come to rest
            pictures.append(take(page, part_of(page)))
        words.last.click()
        page.wait_for_timeout(600)
        page.evaluate("scrollTo(0, 0)")
        save(take(page), "demo.jpg")
    animate(pictures, "demo.webp")


def photograph_reports() -> None:
    """The tops of a data set's report and of an evaluation's, on generated shapes."""
    run = lambda *command: subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True)
    data, examined, out = "data/shapes", "runs/pictures/data", "runs/pictures/evaluation"
    if not (ROOT / data / "captions.jsonl").is_file():
        run("training.prepare", "shapes", "--out", data)
    run("training.prepare", f"{data}/captions.jsonl", "--out", examined)
    run("training.evaluate", "models/shapes", "--data", data, "--split", "test", "--out", out)
    with chromium(viewport={"width": 1100, "height": 1180}) as page:
        for folder, name in ((examined, "dataset_report.png"), (out, "evaluation_report.png")):
            page.goto((ROOT / folder / "report.html").as_uri())
            page.wait_for_timeout(500)
            take(page).quantize(200).save(IMAGES / name, optimize=True)
            print(f"{name}: {(IMAGES / name).stat().st_size / 1000:.0f} kB")


def take(page, clip: dict | None = None) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


def part_of(page) -> dict[str, float]:
    """The photo and the caption on the page, with a little room."""
    stage, words = page.locator("#viewer .stage").bounding_box(), page.locator("#viewer .words").bounding_box()
    left = min(stage["x"], words["x"]) - 8
    return {
        "x": left,
        "y": stage["y"] - 8,
        "width": max(stage["width"], words["width"]) + 16,
        "height": words["y"] + words["height"] - stage["y"] + 16,
    }


def animate(pictures: list[Image.Image], name: str) -> None:
    """Write a WebP that fades from picture to picture and begins again."""
    frames, durations = [], []
    for before, picture in zip([pictures[-1], *pictures], pictures, strict=False):
        frames += [Image.blend(before, picture, way) for way in (0.25, 0.5, 0.75)] + [picture]
        durations += [50, 50, 50, 800]
    frames[0].save(
        IMAGES / name, save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=72, method=6
    )
    print(f"{name}: {frames[0].width}x{frames[0].height}, {(IMAGES / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    draw_sheets()
    photograph_reports()
    photograph_demo()
