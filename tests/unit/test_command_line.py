"""python -m captioner in a process of its own: what comes out where, and with which exit status."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import captioner
from captioner.__main__ import app
from captioner.confidence import FEATURES
from captioner.folders.folder import read_json, write_json, write_manifest
from captioner.folders.keras_folder import save_model
from tests.quick import quick


@pytest.fixture(scope="module")
def model(tiny_captioner, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return save_model(folder, tiny_captioner.model, tiny_captioner.vocabulary, {}, "")


def run(root, *arguments):
    command = [sys.executable, "-m", "captioner", *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)


def test_good_and_bad_pictures_in_one_run(root, photo, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    options = ("--model", "shapes", "--masks", tmp_path / "masks", "--format", "jsonl")
    done = run(root, photo, tmp_path / "bad.jpg", *options)
    assert done.returncode == 1
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["image"] == str(photo)
    (line,) = done.stderr.splitlines()
    assert "bad.jpg" in line and "is not a picture" in line
    pictures = sorted(path.name for path in (tmp_path / "masks").rglob("*.png"))
    assert len(pictures) == len(row["words"]) + 1
    assert "wide.png" in pictures


def test_csv_and_options(photo):
    options = ("--beam-width", "2", "--set", "prefix=a small", "--set", "forbidden_words=red circle square")
    done = CliRunner().invoke(app, [str(photo), "--model", "shapes", "--format", "csv", "--debug", *options])
    assert (done.exit_code, done.stderr) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert rows[0]["image"] == str(photo) and rows[0]["caption"].startswith("a small")
    assert not {"red", "circle", "square"} & set(rows[0]["caption"].split())
    assert rows[0]["confidence"] == rows[0]["sure"] == ""  # the model is not calibrated


def test_a_caption_that_is_not_sure_is_marked(root, photo, tmp_path):
    calibrated, weights = shutil.copytree(root / "models/shapes", tmp_path / "calibrated"), dict.fromkeys(FEATURES, 0.0)
    config = read_json(calibrated / "config.json")
    for threshold, sure in ((0.6, False), (0.4, True)):
        write_json(calibrated / "config.json", {**config, "confidence": {"bias": 0, **weights, "threshold": threshold}})
        write_manifest(calibrated)
        options = (str(photo), "--model", str(calibrated), "--set", "prefix=a red", "--debug")
        line = CliRunner().invoke(app, options).stdout.rstrip("\n")
        assert line.endswith("\tnot sure") is not sure
        (row,) = csv.DictReader(io.StringIO(CliRunner().invoke(app, [*options, "--format", "csv"]).stdout))
        assert (row["confidence"], row["sure"]) == ("0.5000", str(sure))


def test_version_needs_no_picture(root):
    done = run(root, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"captioner {captioner.__version__}\n", "")


def test_a_name_with_a_carriage_return_is_one_cell_of_csv(photo, tmp_path):
    named = tmp_path / "a\rb\nc.png"
    named.write_bytes(photo.read_bytes())
    options = ("--model", "shapes", "--format", "csv", "--debug")
    done = CliRunner().invoke(app, [str(named), str(photo), *options])
    rows = list(csv.DictReader(io.StringIO(done.stdout_bytes.decode(), newline="")))
    assert [row["image"] for row in rows] == [str(named), str(photo)] and all(row["caption"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "no-such-model"], "is no model folder"),
        (["--beam-width", "99"], "beam_width"),
        (["--set", "beam_with=2"], "did you mean 'beam_width'"),
        (["--set", "count=3"], "this command writes one caption a photo; leave count out"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_status_2(root, photo, arguments, message):
    done = run(root, photo, "--model", "shapes", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert message in line


@pytest.mark.parametrize("runtime", quick(["onnx"], ["keras", "onnx"]))
def test_a_number_beyond_the_vocabulary_and_an_address(request, photo, runtime):
    options = ("--set", "strategy=sample", "--set", "top_k=3000000000", "--model")
    folder = str(request.getfixturevalue("model")) if runtime == "keras" else "shapes"
    done = CliRunner().invoke(app, [str(photo), "https://example.com//a.jpg", *options, folder, "--debug"])
    assert done.exit_code == 1 and done.stdout.startswith(str(photo))
    assert "https://example.com//a.jpg: addresses are not opened" in done.stderr


def test_a_closed_stdout_is_one_line(root, photo):
    command = f'exec "{sys.executable}" -m captioner "{photo}" >&-'
    done = subprocess.run(["sh", "-c", command], cwd=root, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "captioner: cannot write: stdout is closed\n")


@pytest.mark.slow
def test_a_closed_stderr_costs_no_caption(root, model, photo):
    command = f'exec "{sys.executable}" -m captioner "{photo}" no-such-file.jpg --model "{model}" 2>&-'
    done = subprocess.run(["sh", "-c", command], cwd=root, stdout=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{photo}\t")


def test_a_photo_is_captioned_without_a_framework(root, photo):
    code = (
        "import sys\nfrom captioner.__main__ import app\n"
        f"app([{str(photo)!r}, '--model', 'models/shapes', '--runtime', 'onnx'], standalone_mode=False)\n"
        "print([name for name in ('keras', 'tensorflow', 'jax') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    caption, loaded = done.stdout.splitlines()
    assert caption.startswith(f"{photo}\t") and loaded == "[]"


def test_a_runtime_that_is_not_there_is_named(root, photo):
    done = run(root, photo, "--model", "models/shapes", "--runtime", "torch")
    assert done.returncode == 2
    assert "is auto, onnx or keras. Received: 'torch'" in done.stderr and done.stderr.count("\n") == 1
