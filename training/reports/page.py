"""One HTML file that needs no other: templates of this folder, charts and pictures inside."""

from __future__ import annotations

import base64
import io
import pathlib
from typing import Any

import jinja2
from PIL import Image

from training.workdir import written

TEMPLATES = pathlib.Path(__file__).parent / "templates"


def write_page(path: pathlib.Path, template: str, **values: Any) -> pathlib.Path:
    """Fill a template and write it, whole or not at all. All texts are escaped; charts come in as `safe`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as partial:
        partial.write_text(environment.get_template(template).render(**values), encoding="utf-8")
    return path


def picture_data(picture: Image.Image, side: int = 280) -> str:
    """A small JPEG as a data URL.

    Args:
        picture: RGB.
        side: longest side in pixels.
    """
    small = picture.copy()
    small.thumbnail((side, side))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")
