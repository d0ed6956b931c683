"""Generated shapes, a few of them, made once, and one server of the demo for all tests that ask it."""

from __future__ import annotations

import pytest

from tests import pictures
from tests.visitors import demo
from training.shapes import write_shapes


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A data set of generated shapes with boxes: 64 pictures to train on, 8 for dev and test each."""
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, {"train": 64, "dev": 8, "test": 8})
    return folder


@pytest.fixture(scope="session")
def running(tmp_path_factory):
    """The demo in a process of its own, started once: a file that asks it stands in `ASK_THE_SERVER`."""
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running
    assert not list(running.uploads.iterdir()), "it leaves nothing behind"


@pytest.fixture(scope="session")
def photo_bytes():
    """A small JPEG for a visitor to upload."""
    return pictures.encode(pictures.base().resize((240, 180)), "JPEG")
