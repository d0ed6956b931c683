"""What has changed from one answer of a stream to the next.

Gradio sends changes in place of whole answers. Its own list of them renumbers what goes out of a list once for every
list around it, so that a caption of fewer words than the one before it lost the wrong words. Here a list that gets
shorter is sent anew.
"""

from __future__ import annotations

from typing import Any

import gradio.utils

Change = list  # [what, path, value], what is "replace", "append" (to a text), "add" or "delete" (of a key)


def changes(old: Any, new: Any, path: tuple = ()) -> list[Change]:
    """What makes `new` of `old`, both JSON-ready, in the form of `gradio.utils.diff`."""
    place = list(path)
    if type(old) is type(new) and old == new:
        return []
    if isinstance(old, str) and isinstance(new, str) and new.startswith(old):
        return [["append", place, new[len(old) :]]]
    if isinstance(old, list) and isinstance(new, list) and len(new) >= len(old):
        inside = [c for i, value in enumerate(old) for c in changes(value, new[i], (*path, i))]
        return inside + [["add", [*place, i], new[i]] for i in range(len(old), len(new))]
    if isinstance(old, dict) and isinstance(new, dict):
        inside = [c for key in old if key in new for c in changes(old[key], new[key], (*path, key))]
        gone = [["delete", [*place, key], None] for key in old if key not in new]
        return inside + gone + [["add", [*place, key], new[key]] for key in new if key not in old]
    return [["replace", place, new]]


def mend_gradio() -> None:
    """Let Gradio list changes as this module does."""
    gradio.utils.diff = changes
