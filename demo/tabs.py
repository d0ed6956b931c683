"""The tabs of the page: what stands on them, and who listens."""

from __future__ import annotations

import pathlib
from typing import Any

import gradio as gr

from demo.batch import table
from demo.listeners import Listeners
from demo.models import Models
from demo.settings import decoding_options, settings
from demo.viewer import message, viewer

EXAMPLES = sorted((pathlib.Path(__file__).parent / "examples").glob("*.jpg"))
QUIET = {"api_visibility": "private", "show_progress": "hidden"}
# Questions to the models share one queue, so that their number at a time is bounded whoever asks.
ASKING = {"api_visibility": "private", "concurrency_id": "model"}
# A batch takes minutes; others shall not wait for it.
ASKING_MUCH = {"api_visibility": "private", "concurrency_id": "batch"}
# Gradio's own reading of files opens any format without limit and answers a broken one with a bare "Error", so
# listeners skip it and captioner.pictures.reading.open_image decides. A photo that comes while another is captioned
# waits.
OF_FILES = {"preprocess": False, "trigger_mode": "always_last"}


def photo_tab(models: Models, listeners: Listeners) -> None:
    """One photo: its caption, its masks, and everything to try with them."""
    with gr.Row(elem_classes="page"):
        with gr.Column(scale=3, min_width=280, elem_classes="controls"):
            photo = photo_input("photo")
            button = gr.Button("Caption this photo", variant="primary", elem_id="caption")
            examples = gr.Examples([[str(path)] for path in EXAMPLES], photo, label="Examples", elem_id="examples")
            with gr.Accordion("Settings", open=False, elem_id="settings"):
                model = gr.Dropdown(models.names, value=models.default, label="Model", elem_id="model")
                controls = settings(models[""].config.decoder.max_words)
        with gr.Column(scale=9, min_width=300):
            result = viewer(elem_id="viewer")
    attach(result, listeners)

    def caption_one(photo, model, *values):
        yield from listeners.caption(photo, model, decoding_options(*values))

    listener = {
        "fn": caption_one,
        "inputs": [photo, model, *controls],
        "outputs": result,
        "show_progress": "minimal",
        **OF_FILES,
        **ASKING,
    }
    # Not photo.change, which fires twice when a photo replaces another.
    asked = gr.on([photo.upload, button.click], **listener)
    picked = examples.load_input_event.success(**listener)
    # A failure must not leave an old caption behind.
    for empty in (photo.clear, asked.failure, picked.failure):
        empty(lambda: None, outputs=result, **QUIET)


def compare_tab(models: Models, listeners: Listeners) -> None:
    """One photo, two models side by side."""
    with gr.Row(elem_classes="page"):
        with gr.Column(scale=4, min_width=280):
            photo = photo_input("compare-photo")
        with gr.Column(scale=7, min_width=300, elem_classes="choices"):
            with gr.Row():
                other = models.names[1] if len(models.names) > 1 else models.default
                left = gr.Dropdown(models.names, value=models.default, label="Left", elem_id="left-model")
                right = gr.Dropdown(models.names, value=other, label="Right", elem_id="right-model")
            button = gr.Button("Caption with both", variant="primary", elem_id="compare")
            examples = gr.Examples(
                [[str(path)] for path in EXAMPLES], photo, label="Examples", elem_id="compare-examples"
            )
    with gr.Row(elem_classes="page"):
        results = [viewer(elem_id=f"{side}-viewer") for side in ("left", "right")]
    for result in results:
        attach(result, listeners)

    def caption_both(photo, left, right):
        for answer in listeners.caption(photo, left, {}):
            yield answer, gr.skip()
        for answer in listeners.caption(photo, right, {}):
            yield gr.skip(), answer

    listener = {
        "fn": caption_both,
        "inputs": [photo, left, right],
        "outputs": results,
        "show_progress": "minimal",
        **OF_FILES,
        **ASKING,
    }
    asked = gr.on([photo.upload, button.click], **listener)
    picked = examples.load_input_event.success(**listener)
    for empty in (photo.clear, asked.failure, picked.failure):
        empty(lambda: (None, None), outputs=results, **QUIET)


def batch_tab(models: Models, listeners: Listeners) -> None:
    """Several photos: a table of captions to take away."""
    with gr.Row(elem_classes="page"):
        with gr.Column(scale=3, min_width=280, elem_classes="controls"):
            photos = gr.File(label="Photos", file_count="multiple", elem_id="photos", height=260)
            model = gr.Dropdown(models.names, value=models.default, label="Model", elem_id="batch-model")
            button = gr.Button("Caption all photos", variant="primary", elem_id="caption-all")
            with gr.Row():
                as_csv = gr.DownloadButton("CSV", interactive=False, min_width=100, elem_id="csv")
                as_json = gr.DownloadButton("JSON", interactive=False, min_width=100, elem_id="json")
        with gr.Column(scale=9, min_width=300):
            rows = table(elem_id="table")
    outputs = [rows, as_csv, as_json]
    nothing = lambda: (None, gr.update(value=None, interactive=False), gr.update(value=None, interactive=False))
    asked = button.click(
        listeners.batch, inputs=[photos, model], outputs=outputs, show_progress="hidden", **OF_FILES, **ASKING_MUCH
    )
    for empty in (photos.clear, asked.failure):
        empty(nothing, outputs=outputs, **QUIET)


def photo_input(elem_id: str) -> gr.Image:
    """A field for a photo: a file, the clipboard or the camera."""
    sources = ["upload", "clipboard", "webcam"]
    return gr.Image(label="Photo", type="filepath", height=260, sources=sources, buttons=[], elem_id=elem_id)


def attach(result: gr.HTML, listeners: Listeners) -> None:
    """Let the server answer what a viewer asks about its caption."""
    events: list[tuple[Any, Any]] = [
        (result.rewrite, listeners.rewrite),
        (result.lean, listeners.lean),
        (result.check, listeners.check),
        (result.keep, listeners.keep),
    ]
    for event, fn in events:
        asked = event(fn, outputs=result, show_progress="hidden", **ASKING)
        asked.failure(lambda: message("failed"), outputs=result, **QUIET)
