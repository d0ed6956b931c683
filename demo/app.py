"""The page: a photo on one side, its caption with the masks on the other."""

from __future__ import annotations

import pathlib
from typing import Any

import gradio as gr

from captioner import Captioner, CaptionerError
from captioner.reading import open_image
from demo.uploads import readable, uploaded
from demo.viewer import describe, viewer

HERE = pathlib.Path(__file__).parent
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO_FONTS = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")
PROGRESS = gr.Progress()  # Gradio gives a listener its progress bar by the type of this default

INTRODUCTION = """
# Photo captions that show where they looked
A neural network describes your photo in one sentence. Point at a word, and the photo lights up where the network
looked while it wrote that word.
"""


def page_options() -> dict[str, Any]:
    """Arguments of `launch` that belong to the page: looks without any font from the network, limits, no extras."""
    theme = gr.themes.Default(
        primary_hue="orange", neutral_hue="zinc", radius_size="lg", font=SYSTEM_FONTS, font_mono=MONO_FONTS
    ).set(body_text_color_subdued="*neutral_500", body_text_color_subdued_dark="*neutral_400")
    return {
        "theme": theme,
        "css_paths": HERE / "app.css",
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "share": False,
        "max_file_size": "20mb",
    }


def build_app(captioner: Captioner) -> gr.Blocks:
    """The page of one model; start it with `build_app(captioner).launch(**page_options())`.

    Args:
        captioner: anything with `caption(picture, beam_width=…) -> Caption`.
    """

    # Gradio's own reading of gr.Image opens any format without limit and answers a broken file with a bare "Error", so
    # the listeners skip it (preprocess=False) and captioner.image.open_image decides.
    def caption_photo(photo: dict[str, Any] | None, beam_width: int, progress=PROGRESS) -> dict[str, Any]:
        path = uploaded(photo)
        try:
            progress(0.1, desc="Opening the photo")
            picture = open_image(path)
            progress(0.3, desc="Writing the caption")
            caption = captioner.caption(picture, beam_width=beam_width)
        except CaptionerError as error:
            raise readable(error, photo) from None
        progress(0.9, desc="Drawing the masks")
        return describe(caption)

    with gr.Blocks(title="Captioner", analytics_enabled=False, delete_cache=(3600, 86400)) as app:
        gr.Markdown(INTRODUCTION, elem_id="introduction")
        with gr.Row(elem_id="page"):
            with gr.Column(scale=4, min_width=280):
                photo, beam_width, button, examples = _controls()
            with gr.Column(scale=8, min_width=300):
                result = viewer(elem_id="viewer")
        listener = {"fn": caption_photo, "inputs": [photo, beam_width], "outputs": result, "preprocess": False}
        # Not photo.change, which fires twice when a photo replaces another.
        asked = gr.on([photo.upload, button.click], **listener, api_name="caption")
        picked = examples.load_input_event.success(**listener, api_visibility="private")
        # A failure must not leave an old caption behind.
        for empty in (photo.clear, asked.failure, picked.failure):
            empty(lambda: None, outputs=result, api_visibility="private")
    app.queue(max_size=32)
    return app


def _controls() -> tuple[gr.Image, gr.Slider, gr.Button, gr.Examples]:
    sources = ["upload", "clipboard"]
    photo = gr.Image(label="Photo", type="filepath", height=260, sources=sources, buttons=[], elem_id="photo")
    hint = "Captions kept in mind while searching for the best"
    beam_width = gr.Slider(1, 10, value=5, step=1, label="Beam width", info=hint, elem_id="beam-width")
    button = gr.Button("Caption this photo", variant="primary", elem_id="caption")
    pictures = [[str(path)] for path in sorted((HERE / "examples").glob("*.jpg"))]
    return photo, beam_width, button, gr.Examples(pictures, photo, label="Examples", elem_id="examples")
