"""Which parameters of a test stay in `make test`."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import pytest


def quick(chosen: Container, values: Iterable) -> list[Any]:
    """Parameters of which those that are not `chosen`, by value or by place, are marked `slow`."""
    listed = list(values)
    stays = lambda place, value: place in chosen if isinstance(value, (dict, tuple)) else value in chosen
    parameters = lambda value: value if isinstance(value, tuple) else (value,)
    return [
        value if stays(place, value) else pytest.param(*parameters(value), marks=pytest.mark.slow)
        for place, value in enumerate(listed)
    ]
