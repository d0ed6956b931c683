"""Which folder a name means, and what tells one from another."""

from __future__ import annotations

import json

import pytest

from captioner.errors import ModelError
from captioner.folders.finding import find_model
from captioner.folders.folder import fingerprint


@pytest.mark.parametrize("name", ["shapes", "models/shapes"])
def test_a_name_means_a_model_of_the_checkout_wherever_one_is(root, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    assert find_model(name) == root / "models" / "shapes"


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"versions": {"captioner": "9.9.9"}}, True),
        ({"graphs.json": "0" * 64}, True),
        ({"encoder.onnx": None, "step.onnx": None, "graphs.json": None}, True),
        ({"config.json": "0" * 64}, False),
        ({"vocabulary.txt": "0" * 64}, False),
        ({"model.safetensors": "0" * 64}, False),
    ],
)
def test_what_changes_captions_changes_the_fingerprint_and_nothing_else_does(root, tmp_path, changed, same):
    manifest = json.loads((root / "models" / "shapes" / "manifest.json").read_text())
    if "versions" in changed:
        manifest |= changed
    else:
        parts = manifest["sha256"] | changed
        manifest["sha256"] = {name: value for name, value in parts.items() if value is not None}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert (fingerprint(tmp_path) == fingerprint(root / "models" / "shapes")) is same


def test_a_folder_with_a_damaged_manifest_has_no_fingerprint(tmp_path):
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(ModelError, match="is not a manifest"):
        fingerprint(tmp_path)
