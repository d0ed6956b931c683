"""How it looks: one scroll through what happens for a word: the grid, the question, the weights, the word.

The page is a `gr.HTML` like the viewer: frame.html, look.css and the scripts, and its value is what `explain` returns.
Every number on it is that of the model that runs, about the photo that is shown.
"""

from __future__ import annotations

import pathlib
from typing import Any

import gradio as gr
import numpy as np

from captioner import Captioner, ConfigError
from captioner.drawing import colour_table
from captioner.pictures.geometry import network_square
from captioner.pictures.reading import Source, open_image
from demo.viewer import cache_photo, describe_picture, message

HERE = pathlib.Path(__file__).parent
SCRIPTS = ("figure", "steps")
SHOWN_NUMBERS = 5  # of the many that describe a cell


def how_it_looks(**options: Any) -> gr.HTML:
    """The component; its value is what `explain` returns, or None for the empty frame.

    Args:
        **options: further arguments of `gr.HTML`, such as `elem_id`.
    """
    read = lambda name: (HERE / name).read_text(encoding="utf-8")
    return gr.HTML(
        html_template=read("frame.html"),
        css_template=read("look.css"),
        js_on_load="\n".join(read(f"{name}.js") for name in SCRIPTS),
        apply_default_css=False,
        colours=colour_table(1.0).tolist(),
        **options,
    )


def explain(captioner: Captioner, photo: Source) -> dict[str, Any]:
    """A caption of a photo and the numbers on the way to it, as a message to the page.

    Raises:
        ImageError: the photo cannot be read.
    """
    picture = open_image(photo)
    caption = captioner.caption(picture)
    content = describe_picture([caption], cache_photo(picture))
    return message("how", model=facts(captioner), cells=cell_numbers(captioner, picture), **content)


def facts(captioner: Captioner) -> dict[str, Any]:
    """What the page tells of a model: name, encoder, side of its square in pixels, state and vocabulary sizes."""
    config = captioner.config
    recurrent = config.decoder.kind == "recurrent"
    return {
        "name": captioner.name,
        "encoder": config.encoder.architecture,
        "side": config.encoder.image_size,
        "decoder": config.decoder.cell.upper() if recurrent else config.decoder.kind,
        "state": config.decoder.lstm_units if recurrent else config.decoder.embedding_size,
        "normaliser": config.attention.normaliser,
        "vocabulary": len(captioner.vocabulary),
    }


def cell_numbers(captioner: Captioner, picture: Source) -> dict[str, Any]:
    """How many numbers describe a cell, and the first of them for each; none where an export does not give them."""
    config = captioner.config.encoder
    try:
        square = network_square(open_image(picture), config.image_size, config.resize)
        vectors = np.asarray(captioner.annotations(square[None]))[0]
    except ConfigError:
        return {"size": None, "first": []}
    first = [[float(f"{value:.3g}") for value in vector[:SHOWN_NUMBERS]] for vector in vectors.tolist()]
    return {"size": vectors.shape[1], "first": first}
