"""Ways for a photo to come in and stay: dropped or pasted anywhere, along to the next tab, kept over a reload.

The component is a `gr.HTML` that shows one quiet line and whose scripts listen on the whole page. They put a photo into
the field of the tab in the way its owner would, so whoever listens to the field need not know of them; and they talk
with Gradio's components through listeners that run in the browser alone: no server is asked for any of this, and what
is kept is kept in the browser.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Sequence
from typing import Any

import gradio as gr

from demo.batch import MAX_FILES

HERE = pathlib.Path(__file__).parent
VIEWER = HERE.parent / "viewer"
# One function for the browser, in the order of reading: each file may use what those before it define.
SCRIPTS = ("fields", "arrivals", "along", "memory", "address", "main")
IN_THE_BROWSER = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}

# What Gradio tells the scripts, as events of the document.
TELL = "(...values) => {{ document.dispatchEvent(new CustomEvent('ways:{name}', {{ detail: values }})); return []; }}"
# What the scripts hand over for components to show.
GIVEN = "() => document.querySelector('.ways').given"


def ways(photo: gr.Image, result: gr.HTML, controls: Sequence[gr.components.Component], **options: Any) -> gr.HTML:
    """The component, already connected.

    Args:
        photo: the field that a photo goes into.
        result: the viewer that shows its caption.
        controls: settings that a link to the page carries; each goes by its `elem_id`.
        **options: further arguments of `gr.HTML`, such as `elem_id`.
    """
    door = gr.HTML(
        html_template=_asset("frame.html"),
        css_template=_asset("look.css"),
        js_on_load="\n".join(_asset(f"{name}.js") for name in SCRIPTS),
        apply_default_css=False,
        controls=[describe_control(control) for control in controls],
        most=MAX_FILES,
        version=version(),
        **options,
    )
    controls = list(controls)
    told = [(result.change, "caption", [result]), (photo.clear, "cleared", None)]
    told += [(control.change, "settings", controls) for control in controls]
    for event, name, inputs in told:
        event(None, inputs=inputs, js=TELL.format(name=name), **IN_THE_BROWSER)
    for event, outputs in ((door.show, [photo, result]), (door.choose, controls)):
        event(None, outputs=outputs, js=GIVEN, **IN_THE_BROWSER)
    return door


def describe_control(control: gr.components.Component) -> dict[str, Any]:
    """What the browser needs to read a setting from an address: its name, value, and `switch`, `choices` or bounds."""
    known: dict[str, Any] = {"name": control.elem_id, "value": control.value}
    if isinstance(control, gr.Checkbox):
        return known | {"switch": True}
    if hasattr(control, "choices"):
        return known | {"choices": [value for _, value in control.choices]}
    return known | {"minimum": control.minimum, "maximum": control.maximum, "step": control.step}


def version() -> str:
    """What changes with the viewer, so that nothing kept for an older one is shown by a newer."""
    parts = (path.read_bytes() for path in sorted(VIEWER.iterdir()) if path.suffix in (".py", ".js", ".html"))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
