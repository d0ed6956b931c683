"""The endpoints for programs, on the real server."""

from __future__ import annotations

import concurrent.futures
import pathlib

import numpy as np
import pytest

from tests.browser.visitor import ask
from training.shapes import draw_scene, sample_scene

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def test_endpoints_and_their_results_have_types(client):
    info = client.view_api(return_format="dict")["named_endpoints"]
    assert set(info) == {"/caption", "/score", "/captions", "/check_mask", "/draw", "/models"}
    parameters = {p["parameter_name"]: p["type"] for p in info["/caption"]["parameters"]}
    assert parameters["strategy"] == {"enum": ["beam", "diverse", "greedy", "sample"]}
    words = info["/caption"]["returns"][0]["type"]["properties"]["words"]["items"]["properties"]
    assert words["probability"] == {"type": "number"} and words["mask"]["items"]["items"] == {"type": "number"}


def test_the_documented_example_runs(server, monkeypatch):
    text = (ROOT / "docs/demo.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0].replace("http://127.0.0.1:7860", server)
    monkeypatch.chdir(ROOT)
    names: dict = {}
    exec(code, names)
    assert names["caption"]["words"][0]["probability"] > 0
    assert names["scored"]["text"] == "a cat sleeps" and names["check"]["word"] == names["caption"]["words"][1]["text"]
    assert [row["error"] for row in names["rows"]] == [None, None] and names["animation"].endswith(".webp")


def test_twenty_people_at_once_get_their_own_answers(client, tmp_path):
    from gradio_client import Client

    paths = []
    for i in range(20):
        path = tmp_path / f"{i}.png"
        draw_scene(sample_scene(np.random.default_rng(100 + i)), 128).save(path)
        paths.append(path)
    alone = [ask(client, path, api_name="/caption") for path in paths]
    assert len({answer["text"] for answer in alone}) > 12, "too few different answers to tell a mix-up"

    def person(path):
        return ask(Client(client.src, verbose=False, analytics_enabled=False), path, api_name="/caption")

    with concurrent.futures.ThreadPoolExecutor(20) as people:
        together = list(people.map(person, paths))
    for one, other in zip(alone, together, strict=True):
        assert one["text"] == other["text"] and one["score"] == pytest.approx(other["score"], abs=1e-4)
        for word, again in zip(one["words"], other["words"], strict=True):
            np.testing.assert_allclose(word["mask"], again["mask"], atol=1e-4)
