"""A model's way to a hub and back, against a stand-in for the hub's HTTP."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from captioner.commands import app
from captioner.errors import ConfigError, ModelError
from captioner.folders import hub as ours
from captioner.folders.finding import find_model
from captioner.folders.folder import verify
from tests.hub import Hub

pytest.importorskip("huggingface_hub")


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_a_test")
    with Hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        yield server


@pytest.fixture
def shared(hub, root):
    ours.push(root / "models" / "shapes", "hf://someone/shapes")
    return hub


def test_a_model_goes_there_and_comes_back(shared, root):
    there = shared.files["someone/shapes"]
    assert there["README.md"].startswith(b"---\nlibrary_name: captioner\n")
    there |= {"evil.py": b"raise SystemExit", "../up": b"up", "model.pkl": b"pickle"}
    folder = find_model("hf://someone/shapes")
    assert verify(folder) == "keras"
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        path.name for path in (root / "models" / "shapes").iterdir()
    )
    assert not [path for path in folder.rglob("*") if path.is_symlink()]
    asked = len(shared.asked)
    assert find_model("hf://someone/shapes@main") == folder
    assert len(shared.asked) == asked + 1  # which commit it is, and no more


def test_without_a_network_the_last_one_is_taken(shared, monkeypatch):
    folder = find_model("hf://someone/shapes")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert find_model("hf://someone/shapes") == folder
    with pytest.raises(ModelError, match="^hf://someone/other: "):
        find_model("hf://someone/other")


def test_a_broken_download_goes_on(shared):
    shared.breaks_after = 200_000
    assert verify(find_model("hf://someone/shapes")) == "keras"
    assert shared.breaks_after is None


@pytest.mark.parametrize("part", ["model.safetensors", "encoder.onnx", "vocabulary.txt"])
def test_a_part_that_the_manifest_does_not_name_is_refused(shared, part):
    shared.files["someone/shapes"][part] = b"../../../secret"  # what git keeps of a link
    with pytest.raises(ModelError, match="is not the file the manifest names"):
        find_model("hf://someone/shapes")
    assert not ours.fetched_models()


def test_what_is_no_model_or_too_long_is_not_fetched(shared, monkeypatch):
    shared.files["someone/else"] = {"pytorch_model.bin": b"pickle"}
    with pytest.raises(ModelError, match="holds no manifest.json"):
        find_model("hf://someone/else")
    monkeypatch.setattr("captioner.folders.folder.MAX_WEIGHTS", 1000)
    with pytest.raises(ModelError, match="1,000 is the most"):
        find_model("hf://someone/shapes")
    assert not [line for line in shared.asked if "resolve" in line]


@pytest.mark.parametrize("address", ["hf://", "hf://one", "hf://a/b/c", "hf://../b", "hf://a/b@../c"])
def test_an_address_is_of_a_user_and_a_name(address):
    with pytest.raises(ConfigError, match="hf://USER/NAME"):
        find_model(address)


def test_models_lists_what_is_there(shared):
    find_model("hf://someone/shapes")
    done = CliRunner().invoke(app, ["models"])
    lines = done.stdout.splitlines()
    names = [line.split(": ")[0] for line in lines]
    assert names[:3] == ["photos", "shapes", "shapes_hard"] and names[3].startswith("hf://someone/shapes@")
    assert all("runs with onnx, keras" in line and " MB; " in line for line in lines)


def test_push_says_where_and_refuses_a_damaged_folder(hub, root, tmp_path):
    done = CliRunner().invoke(app, ["push", "shapes", "hf://someone/again"])
    assert done.exit_code == 0 and done.stdout.startswith(f"{hub.address}/someone/again/commit/")
    (tmp_path / "manifest.json").write_text(json.dumps({}))
    done = CliRunner().invoke(app, ["push", str(tmp_path), "hf://someone/bad"])
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert "someone/bad" not in hub.files
