"""What a link to the page may hold, and when what a browser kept is out of date."""

from __future__ import annotations

import gradio as gr

from demo import ways
from demo.app import build_app
from demo.models import Models
from demo.settings import settings


def test_a_control_is_described_by_what_it_can_be():
    with gr.Blocks():
        strategy, beam_width, *_, neutral, _, without = settings(20)
    assert ways.describe_control(neutral) == {"name": "neutral", "value": False, "switch": True}
    assert ways.describe_control(without) == {"name": "forbidden-words", "value": "", "letters": 200}
    assert ways.describe_control(strategy) == {
        "name": "strategy",
        "value": "beam",
        "choices": ["beam", "diverse", "greedy", "sample"],
    }
    known = {"name": "beam-width", "value": 5, "minimum": 1, "maximum": 10, "step": 1}
    assert ways.describe_control(beam_width) == known
    model = gr.Dropdown(["one", "two"], value="one", elem_id="model")
    assert ways.describe_control(model) == {"name": "model", "value": "one", "choices": ["one", "two"]}


def test_what_was_kept_for_another_viewer_is_told_apart(tmp_path, monkeypatch):
    before = ways.version()
    assert before == ways.version()
    for path in ways.VIEWER.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(ways, "VIEWER", tmp_path)
    assert ways.version() == before
    (tmp_path / "main.js").write_text("// another\n")
    assert ways.version() != before


def test_a_photo_is_captioned_by_one_listener_however_it_came(tiny_captioner, monkeypatch):
    """Of two questions at once to two listeners, the slower answer would stay."""
    monkeypatch.setattr(Models, "prepare", lambda *_: None)  # it would go on behind other tests
    functions = build_app(tiny_captioner).fns.values()
    asking = [function.name for function in functions if function.concurrency_id == "model"]
    assert asking.count("caption_one") == 1
    assert asking.count("caption_both") == 1


def test_removing_a_photo_cancels_the_caption_that_is_being_written_of_it(tiny_captioner, monkeypatch):
    """It stayed on the page without its photo where the machine was busy."""
    monkeypatch.setattr(Models, "prepare", lambda models, warm_up: None)
    config = build_app(tiny_captioner).config
    ids = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    of = lambda event: [
        (ids[component], each["id"], each["cancels"])
        for each in config["dependencies"]
        for component, name in each["targets"]
        if name == event and ids[component] in ("photo", "compare-photo")
    ]
    asked = {field: [number] for field, number, _ in of("upload")}
    assert len(asked) == 2 and {field: cancels for field, _, cancels in of("clear") if cancels} == asked
