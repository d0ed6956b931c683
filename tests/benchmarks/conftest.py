"""The model that the benchmarks run."""

from __future__ import annotations

import pytest

from captioner import Captioner


@pytest.fixture(scope="module")
def captioner(root):
    return Captioner.from_pretrained(root / "models" / "photos")
