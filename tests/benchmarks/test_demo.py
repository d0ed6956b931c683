"""What a visitor waits for: make bench ARGS="-k demo"."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.browser.running import running_browser, running_demo
from tests.browser.visitor import Visitor

REPEATS = 5


@pytest.mark.parametrize("model", ["models/photos"])
def test_waiting(model, root, tmp_path):
    started = time.perf_counter()
    with running_demo(model, tmp_path) as address, running_browser() as browser:
        ready = time.perf_counter() - started
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        weight, network = [], page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", lambda event: weight.append(event["encodedDataLength"]))
        opened = time.perf_counter()
        page.goto(address)
        page.wait_for_selector("#viewer .viewer")
        shown = time.perf_counter() - opened
        page.wait_for_load_state("networkidle")
        loaded, requests = sum(weight), len(weight)

        visitor, first, whole = Visitor(page), [], []
        for i in range(REPEATS + 1):
            path = sorted((root / "demo/examples").glob("*.jpg"))[i % 5]
            began = time.perf_counter()
            page.set_input_files("#photo input[type=file]", path)
            page.wait_for_selector("#viewer .word", timeout=60_000)
            first.append(time.perf_counter() - began)
            page.wait_for_selector('#viewer .viewer[data-busy=""] .word', timeout=60_000)
            whole.append(time.perf_counter() - began)
            visitor.captioned()
            page.click("#photo [aria-label='Remove Image']")
            page.wait_for_selector('#viewer .viewer[data-state="empty"]')
    print(
        f"\n{model}: ready after {ready:.1f} s; page of {loaded / 1e6:.2f} MB in {requests} requests, shown after "
        f"{shown:.1f} s; first upload: first word {first[0]:.2f} s, whole caption {whole[0]:.2f} s; after that, median "
        f"of {REPEATS}: first word {statistics.median(first[1:]):.2f} s, whole {statistics.median(whole[1:]):.2f} s"
    )
