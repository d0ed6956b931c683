"""Generated shapes, a few of them, made once."""

from __future__ import annotations

import pytest

from training.shapes import write_shapes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A data set of generated shapes with boxes: 64 pictures to train on, 8 for dev and test each."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, {"train": 64, "dev": 8, "test": 8})
    return folder
