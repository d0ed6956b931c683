"""The wheel: what it asks for, what it holds, and that it captions a photo by itself without TensorFlow."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import zipfile

import pytest

LIGHT = {"markdown-it-py", "numpy", "pillow", "onnxruntime", "safetensors", "pydantic", "typer", "rich"}
HEAVY = ("tensorflow", "keras", "jax", "h5py", "watchfiles", "huggingface_hub", "gradio")
MAX_BYTES = 60_000_000

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), "."]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=900)
    if done.returncode and "distribution found for hatchling" in done.stderr:
        pytest.skip("hatchling, which builds the wheel, cannot be downloaded here")
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_asks_for_light_packages_and_holds_one_model(root, wheel):
    assert wheel.stat().st_size < MAX_BYTES
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        asked = email.message_from_bytes(archive.read(metadata))
        manifest = json.loads(archive.read("captioner/models/photos/manifest.json"))
    needed = {re.match(r"[\w-]+", line)[0] for line in asked.get_all("Requires-Dist") if "extra ==" not in line}
    assert needed == LIGHT
    extras = set(asked.get_all("Provides-Extra"))
    assert extras >= {"tensorflow", "train", "demo", "export", "hub", "heic", "raw", "ray", "jax", "watch"}
    assert {name.split("/")[2] for name in names if name.startswith("captioner/models/")} == {"photos"}
    assert {f"captioner/models/photos/{name}" for name in manifest["sha256"]} <= names
    assert not [name for name in names if not name.startswith(("captioner/", "captioner-"))]


@pytest.mark.parametrize("model", ["models/photos", "flickr8k"])
def test_it_captions_in_an_empty_folder_with_light_packages_alone(wheel, photo, tmp_path, model):
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:  # as pip lays it
        archive.extractall(installed)
    # In the place of each package that is not asked for stands nothing.
    code = (
        f"import sys\nsys.path.insert(0, {str(installed)!r})\n"
        f"sys.modules.update(dict.fromkeys({HEAVY}))\n"
        "import captioner\nfrom captioner.__main__ import main\n"
        f"assert captioner.__file__.startswith({str(installed)!r})\n"
        f"sys.argv = ['captioner', {str(photo)!r}, '--model', {model!r}]\nmain()"
    )
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-I", "-c", code]
    done = subprocess.run(command, cwd=empty, env=clean, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{photo}\t") and len(done.stdout.split("\t")[1].split()) > 2
    assert not list(empty.iterdir())
