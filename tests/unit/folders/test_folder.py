"""Which folder a name means."""

from __future__ import annotations

import pytest

from captioner.folders.finding import find_model


@pytest.mark.parametrize("name", ["shapes", "models/shapes"])
def test_a_name_means_a_model_of_the_checkout_wherever_one_is(root, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert find_model(name) == root / "models" / "shapes"
