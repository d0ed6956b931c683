"""The page as a whole: looks, tabs, endpoints."""

from __future__ import annotations

import pathlib
import threading
from typing import Any

import gradio as gr

from captioner import Captioner
from captioner.pictures.uploads import MAX_PHOTO
from demo.api import add_endpoints
from demo.batch.running import Batches
from demo.changes import mend_gradio
from demo.listeners import Listeners, warm_up
from demo.models import Models
from demo.tabs import batch_tab, compare_tab, how_tab, photo_tab
from demo.uploads import in_words

HERE = pathlib.Path(__file__).parent
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
MONO_FONTS = ("ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace")

SESSIONS = 500  # that Gradio remembers; each takes 130 kB, and the page keeps what matters in the browser

INTRODUCTION = """
# Photo captions that show where they looked
Point at a word, and the photo lights up where the network looked while it wrote that word.
"""
DESCRIPTION = "A neural network describes a photo in one sentence and shows where it looked for every word."


def page_options() -> dict[str, Any]:
    """Arguments of `launch` that belong to the page: looks without any font from the network, limits, no extras."""
    theme = gr.themes.Default(
        primary_hue="orange", neutral_hue="zinc", radius_size="lg", font=SYSTEM_FONTS, font_mono=MONO_FONTS
    ).set(
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        # White on the paler default could not be read by everybody.
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        color_accent="*primary_600",
        # Their blue could hardly be read in the dark.
        **dict.fromkeys(("link_text_color", "link_text_color_visited", "link_text_color_active"), "*primary_700"),
        **dict.fromkeys(
            ("link_text_color_dark", "link_text_color_visited_dark", "link_text_color_active_dark"), "*primary_400"
        ),
        link_text_color_hover="*primary_800",
        link_text_color_hover_dark="*primary_300",
        # Their edges could hardly be seen in the dark.
        checkbox_border_color_dark="*neutral_500",
    )
    return {
        "theme": theme,
        "css_paths": HERE / "app.css",
        "js": (HERE / "app.js").read_text(encoding="utf-8"),
        "head": f'<meta name="description" content="{DESCRIPTION}">',
        "favicon_path": HERE / "favicon.svg",
        "footer_links": ["api"],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "share": False,
        "max_file_size": MAX_PHOTO,
    }


def build_app(captioner: Captioner) -> gr.Blocks:
    """The page; start it with `build_app(captioner).launch(**page_options())`.

    Args:
        captioner: the model that the page starts with; those in models/ can be chosen as well.
    """
    mend_gradio()
    models = Models(captioner)
    listeners = Listeners(models)
    with gr.Blocks(title="Captioner", analytics_enabled=False) as app:
        gr.Markdown(INTRODUCTION, elem_id="introduction")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab("One photo", elem_id="one"):
                photo, model = photo_tab(models, listeners)
            with gr.Tab("Two models", elem_id="two"):
                compare_tab(models, listeners)
            with gr.Tab("Many photos", elem_id="many"):
                batch_tab(models, Batches(models))
            with gr.Tab("How it looks", elem_id="how") as tab:
                how_tab(tab, photo, model, models)
        add_endpoints(models)
    app.card = models.card
    app.process_api = in_words(app.process_api)
    app.state_session_capacity = SESSIONS
    app.queue(max_size=256, api_open=False)  # closed: else a direct request passes by the queue
    threading.Thread(target=models.prepare, args=(warm_up,), daemon=True).start()
    return app
