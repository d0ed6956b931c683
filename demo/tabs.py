"""The tabs of the page: what stands on them, and who listens."""

from __future__ import annotations

import pathlib
from typing import Any

import gradio as gr

from captioner.folders.finding import RENAMED
from demo.batch import table
from demo.batch.running import Batches
from demo.cards import knows_scenes
from demo.how_it_looks import explain, how_it_looks
from demo.listeners import Listeners, errors_for_people
from demo.models import Models
from demo.settings import SAMPLES, decoding_options, settings
from demo.uploads import uploaded
from demo.viewer import message, viewer
from demo.ways import IN_THE_BROWSER, TELL, begin_after, ways

FOLDER = pathlib.Path(__file__).parent / "examples"
PHOTOS = sorted(FOLDER.glob("*.jpg"), key=lambda path: (path.stem != "dog", path))  # the dog meets visitors first
SCENE = FOLDER / "shapes.png"
QUIET = {"api_visibility": "private", "show_progress": "hidden"}
# Questions to the models share one queue, so that their number at a time is bounded whoever asks.
ASKING = {"api_visibility": "private", "concurrency_id": "model"}
# A batch takes minutes; others shall not wait for it.
ASKING_MUCH = {"api_visibility": "private", "concurrency_id": "batch"}
# Gradio's own reading of files opens any format without limit and answers a broken one with a bare "Error", so
# listeners skip it and captioner.pictures.reading.open_image decides. A photo that comes while another is captioned
# waits.
OF_FILES = {"preprocess": False, "trigger_mode": "always_last"}
PRESS_COMPARE = "() => { document.querySelector('#compare').click(); return []; }"


# Two models on the same picture that differ in one thing: what to read above them, the picture, left and right.
PAIRS = (("Soft and hard attention on a scene of shapes", SCENE, "shapes", "shapes_hard"),)


def example_pictures(models: Models) -> list[pathlib.Path]:
    """Photos, and a drawn scene where a model of such takes part; first one that the default model is made for."""
    if not any(knows_scenes(models.card(name)) for name in models.names):
        return PHOTOS
    return [SCENE, *PHOTOS] if knows_scenes(models.card(models.default)) else [*PHOTOS, SCENE]


def label_of_examples(models: Models) -> str:
    """What stands above the examples: the model that ships is not right about all of them."""
    shipped = RENAMED.get(models.default, models.default) == "photos"
    return "Examples; wrong on astronaut and pig" if shipped else "Examples"


def photo_tab(models: Models, listeners: Listeners) -> tuple[gr.Image, gr.Dropdown]:
    """One photo: its caption, its masks, and everything to try with them.

    Returns:
        Its fields for the photo and the model.
    """
    with gr.Row(elem_classes="page"):
        with gr.Column(scale=3, min_width=280, elem_classes="controls"):
            photo = photo_input("photo")
            button = gr.Button("Caption again with these settings", variant="primary", visible=False, elem_id="caption")
            pictures = example_pictures(models)
            shown, label = [[str(path)] for path in pictures], label_of_examples(models)
            examples = gr.Examples(shown, photo, label=label, elem_id="examples")
            with gr.Accordion("Settings", open=False, elem_id="settings"):
                model = gr.Dropdown(models.names, value=models.default, label="Model", elem_id="model")
                longest = models[""].config.decoder.max_words
                controls = settings(longest)
        with gr.Column(scale=9, min_width=300):
            result = viewer(elem_id="viewer")
    begin = ways(photo, result, [model, *controls], pictures[0], elem_id="ways")
    attach(result, listeners)

    def caption_one(photo, model, *values):
        yield from listeners.caption(photo, model, decoding_options(*values, longest=longest))

    listener = {
        "fn": caption_one,
        "inputs": [photo, model, *controls],
        "outputs": result,
        "show_progress": "minimal",
        **OF_FILES,
        **ASKING,
    }
    # Not photo.change, which fires twice when a photo replaces another.
    begin_after(examples.load_input_event)
    asked = gr.on([photo.upload, button.click, begin], **listener)
    # A failure must not leave an old caption behind, nor a photo that is removed the one that is being written of it.
    photo.clear(None, cancels=[asked], queue=False, **QUIET)
    for empty in (photo.clear, asked.failure):
        empty(lambda: None, outputs=result, **QUIET)
        empty(lambda: gr.update(visible=False), outputs=button, **QUIET)
    asked.success(None, inputs=photo, js=TELL.format(name="written"), **IN_THE_BROWSER)
    # The button stands there only where it does something: the settings have changed, or samples differ every time.
    asked.success(lambda strategy: gr.update(visible=strategy in SAMPLES), controls[0], button, **QUIET)
    gr.on(
        [setting.change for setting in (model, *controls)],
        lambda photo: gr.update(visible=bool(photo)),
        inputs=photo,
        outputs=button,
        preprocess=False,
        queue=False,
        **QUIET,
    )
    return photo, model


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
            pictures = [[str(path)] for path in example_pictures(models)]
            examples = gr.Examples(pictures, photo, label="Examples", elem_id="compare-examples")
            pairs = pairs_that_teach(models, [photo, left, right])
    with gr.Row(elem_classes="page"):
        results = []
        for side in ("left", "right"):
            with gr.Column(min_width=300):
                results.append(viewer(elem_id=f"{side}-viewer"))
    for result in results:
        attach(result, listeners)

    def caption_both(photo, left, right):
        for answer in listeners.caption(photo, left, {}):
            yield answer, gr.skip()
        for answer in listeners.caption(photo, right, {}):
            yield gr.skip(), answer

    asked = gr.on(
        [photo.upload, button.click],
        caption_both,
        inputs=[photo, left, right],
        outputs=results,
        show_progress="minimal",
        **OF_FILES,
        **ASKING,
    )
    # One listener for all ways: of two questions at once the later answer stays.
    for one in (examples, *pairs):
        one.load_input_event.success(None, js=PRESS_COMPARE, **IN_THE_BROWSER)
    photo.clear(None, cancels=[asked], queue=False, **QUIET)
    for empty in (photo.clear, asked.failure):
        empty(lambda: (None, None), outputs=results, **QUIET)


def pairs_that_teach(models: Models, fields: list[gr.Component]) -> list[gr.Examples]:
    """Examples that fill the field of the photo and those of both models; none where a model is missing."""
    there = [(label, str(picture), *two) for label, picture, *two in PAIRS if set(two) <= set(models.names)]
    if not there:
        return []
    rows, labels = [list(row[1:]) for row in there], [row[0] for row in there]
    return [gr.Examples(rows, fields, label="Pairs that teach", example_labels=labels, elem_id="compare-pairs")]


def batch_tab(models: Models, batches: Batches) -> None:
    """Several photos: a table of captions to take away. It starts by itself."""
    with gr.Row(elem_classes="page"):
        with gr.Column(scale=3, min_width=280, elem_classes="controls"):
            photos = gr.File(label="Photos", file_count="multiple", elem_id="photos", height=200)
            model = gr.Dropdown(models.names, value=models.default, label="Model", elem_id="batch-model")
            again = gr.Button("Caption again", visible=False, elem_id="caption-all")
            with gr.Row():
                as_csv = gr.DownloadButton("CSV", interactive=False, min_width=100, elem_id="csv")
                as_json = gr.DownloadButton("JSON", interactive=False, min_width=100, elem_id="json")
        with gr.Column(scale=9, min_width=300):
            rows = table(elem_id="table")
    outputs = [rows, as_csv, as_json]
    nothing = lambda: (None, gr.update(value=None, interactive=False), gr.update(value=None, interactive=False))
    # More photos, or another model, end what runs; what they start waits for that.
    for ending in (rows.stop, photos.upload, photos.clear, model.input):
        ending(batches.stop, queue=False, **QUIET)
    asked = gr.on(
        [photos.upload, again.click],
        batches.start,
        inputs=[photos, model],
        outputs=outputs,
        show_progress="hidden",
        **OF_FILES,
        **ASKING_MUCH,
    )
    for changed in (asked.success, model.input):
        changed(lambda photos: gr.update(visible=bool(photos)), photos, again, **OF_FILES, **QUIET)
    for empty in (photos.clear, asked.failure):
        empty(nothing, outputs=outputs, **QUIET)
        empty(lambda: gr.update(visible=False), outputs=again, **QUIET)
    packed = rows.sheets(batches.sheets, outputs=rows, show_progress="hidden", **ASKING_MUCH)
    packed.failure(lambda: message("failed"), outputs=rows, **QUIET)


def how_tab(tab: gr.Tab, photo: gr.Image, model: gr.Dropdown, models: Models) -> None:
    """How it looks: a scroll through one word of the photo in that field, or of an example."""
    page = how_it_looks(elem_id="how-it-looks")

    def show(photo, model):
        with errors_for_people(photo):
            return explain(models[model], uploaded(photo) if photo else example_pictures(models)[0])

    tab.select(show, inputs=[photo, model], outputs=page, show_progress="hidden", **OF_FILES, **ASKING)


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
