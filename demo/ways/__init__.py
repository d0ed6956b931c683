"""Ways for a photo to come in and stay: dropped or pasted anywhere, along to the next tab, kept over a reload.

The component is a `gr.HTML` that shows one quiet line and whose scripts listen on the whole page. They put a photo into
the field of the tab in the way its owner would, so whoever listens to the field need not know of them; and they talk
with Gradio's components through listeners that run in the browser alone: no server is asked for any of this, and what
is kept is kept in the browser.
"""

from __future__ import annotations

import hashlib
import mimetypes
import pathlib
import types
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from demo.batch import MAX_FILES
from demo.viewer import cache_file

HERE = pathlib.Path(__file__).parent
VIEWER = HERE.parent / "viewer"
# One function for the browser, in the order of reading: each file may use what those before it define.
SCRIPTS = ("fields", "arrivals", "along", "memory", "address", "welcome", "main")
IN_THE_BROWSER = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}

# What Gradio tells the scripts, as events of the document.
TELL = "(...values) => {{ document.dispatchEvent(new CustomEvent('ways:{name}', {{ detail: values }})); return []; }}"
# What the scripts hand over for components to show.
GIVEN = "() => document.querySelector('.ways').given.{name}"


def ways(
    photo: gr.Image, result: gr.HTML, controls: Sequence[gr.components.Component], example: pathlib.Path, **options: Any
) -> types.SimpleNamespace:
    """The component, already connected.

    Args:
        photo: the field that a photo goes into.
        result: the viewer that shows its caption.
        controls: settings that a link to the page carries; each goes by its `elem_id`.
        example: a photo that a first visit starts with.
        **options: further arguments of `gr.HTML`, such as `elem_id`.

    Returns:
        A trigger for `gr.on`: a photo is in the field and is to be captioned, see `begin_after`.
    """
    door = gr.HTML(
        html_template=_asset("frame.html"),
        css_template=_asset("look.css"),
        js_on_load="\n".join(_asset(f"{name}.js") for name in SCRIPTS),
        apply_default_css=False,
        controls=[describe_control(control) for control in controls],
        most=MAX_FILES,
        example=cache_file(example.read_bytes(), example.name, mimetypes.guess_type(example)[0]).model_dump(),
        version=version(),
        **options,
    )
    controls = list(controls)
    told = [(result.change, "caption", [result]), (photo.clear, "cleared", None)]
    told += [(control.change, "settings", controls) for control in controls]
    for event, name, inputs in told:
        event(None, inputs=inputs, js=TELL.format(name=name), **IN_THE_BROWSER)
    given = [(door.show, "show", [photo, result]), (door.choose, "choose", controls), (door.arrive, "arrive", [photo])]
    *_, arrived = [event(None, outputs=to, js=GIVEN.format(name=name), **IN_THE_BROWSER) for event, name, to in given]
    begin_after(arrived)
    # Gradio 6.31 gives custom events of gr.HTML none of what `gr.on` reads of a trigger.
    known = {"callback": None, "connection": "sse", "event_specific_args": []}
    return types.SimpleNamespace(__self__=door, has_trigger=True, event_name="begin", **known)


def begin_after(event: Dependency) -> None:
    """Have the trigger `begin` of the component fire once an event has put a photo into the field.

    So that whatever way a photo comes, one listener captions it, and of two that come at once the later one stays.
    """
    event.success(None, js=TELL.format(name="begin"), **IN_THE_BROWSER)


def describe_control(control: gr.components.Component) -> dict[str, Any]:
    """What the browser needs to read a setting from an address: its name, value, and what values it can take."""
    known: dict[str, Any] = {"name": control.elem_id, "value": control.value}
    if isinstance(control, gr.Checkbox):
        return known | {"switch": True}
    if isinstance(control, gr.Textbox):
        return known | {"letters": control.max_length}
    if hasattr(control, "choices"):
        return known | {"choices": [value for _, value in control.choices]}
    return known | {"minimum": control.minimum, "maximum": control.maximum, "step": control.step}


def version() -> str:
    """What changes with the viewer, so that nothing kept for an older one is shown by a newer."""
    parts = (path.read_bytes() for path in sorted(VIEWER.iterdir()) if path.suffix in (".py", ".js", ".html"))
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
