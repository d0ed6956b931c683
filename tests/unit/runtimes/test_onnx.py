"""onnxruntime is loaded once, leaves nothing among temporary files or at home, and tells nobody."""

from __future__ import annotations

import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import pytest

from captioner.config import DecodingOptions
from captioner.errors import ModelError
from captioner.runtimes.onnx import AT_ONCE, MANY, OnnxRuntime, _load_onnxruntime
from captioner.search.controls import Controls


def test_a_second_model_makes_no_temporary_folder(root, monkeypatch):
    """The folder is there for the import, which comes once a process."""
    OnnxRuntime(root / "models" / "shapes", own=True)
    monkeypatch.setattr(tempfile, "mkdtemp", lambda *_, **__: pytest.fail("a temporary folder was made"))
    OnnxRuntime(root / "models" / "shapes", own=True)


def test_the_first_import_leaves_the_environment_as_it_was(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    _load_onnxruntime.cache_clear()
    _load_onnxruntime()
    assert os.environ["TMPDIR"] == str(tmp_path) and not list(tmp_path.iterdir())


def test_nothing_is_told_and_no_identifier_is_kept(root, photo, tmp_path):
    """What onnxruntime would send lies in the home folder first."""
    home = tmp_path / "home"
    home.mkdir()
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    command = [sys.executable, "-m", "captioner", str(photo), "--model", str(root / "models" / "shapes")]
    done = subprocess.run(command, cwd=root, env={**keep, "HOME": str(home)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*"))


def test_photos_that_go_through_the_encoder_in_turn(root):
    runtime = OnnxRuntime(root / "models" / "shapes", own=True)
    size = runtime.config.encoder.image_size
    squares = np.random.default_rng(0).integers(0, 255, (2 * AT_ONCE + 1, size, size, 3), np.uint8)
    together, alone = runtime.encode(squares), by_turns(runtime, squares)
    for name, values in together.items():
        np.testing.assert_allclose(values, alone[name], atol=1e-5 * np.abs(values).max())


@pytest.fixture
def many(root):
    size = OnnxRuntime(root / "models" / "shapes", own=True).config.encoder.image_size
    return np.random.default_rng(0).integers(0, 255, (MANY + 1, size, size, 3), np.uint8)


def by_turns(runtime, squares):
    alone = [runtime.encode(square[None]) for square in squares]
    return {name: np.concatenate([encoded[name] for encoded in alone]) for name in alone[0]}


def test_many_photos_take_a_core_each(root, many):
    runtime = OnnxRuntime(root / "models" / "shapes", own=True, threads=2)
    alone = by_turns(runtime, many)
    controls = Controls.resolve(DecodingOptions(beam_width=3), runtime.vocabulary, 12)
    before = runtime.search(alone, controls)
    assert not runtime._several.started
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # as two batches of a folder may come at once
        both = list(pool.map(runtime.encode, [many, many[::-1]]))
    assert runtime._several.started
    for together, order in zip(both, (slice(None), slice(None, None, -1)), strict=True):
        for name, values in together.items():
            np.testing.assert_allclose(values, alone[name][order], atol=1e-5 * np.abs(values).max())
    after = runtime.search(both[0], controls)
    np.testing.assert_array_equal(after["words"], before["words"])
    np.testing.assert_allclose(after["log_probability"], before["log_probability"], atol=1e-4)


def test_one_thread_stays_one(root, many):
    runtime = OnnxRuntime(root / "models" / "shapes", own=True, threads=1)
    runtime.encode(many)
    assert not runtime._several.started and runtime.encodes_at_once == 1


@pytest.mark.parametrize("change", ["gone", "another"])
def test_a_folder_that_has_changed_since_is_not_read_again(root, many, tmp_path, change):
    """It was verified when it was loaded, and may lie where temporary files do."""
    folder = shutil.copytree(root / "models" / "shapes", tmp_path / "model")
    runtime = OnnxRuntime(folder, own=True, threads=2)
    if change == "gone":
        shutil.rmtree(folder)
    else:
        (folder / "encoder.onnx").write_bytes(b"no graph")
    together, alone = runtime.encode(many), by_turns(runtime, many)
    assert not runtime._several.started
    for name, values in together.items():
        np.testing.assert_allclose(values, alone[name], atol=1e-5 * np.abs(values).max())


def test_an_encoder_that_forgets_which_photo_is_which(root, monkeypatch):
    runtime = OnnxRuntime(root / "models" / "shapes", own=True)
    monkeypatch.setattr("captioner.runtimes.onnx._run", lambda *_: {"annotations": np.float32(1.0)})
    size = runtime.config.encoder.image_size
    with pytest.raises(ModelError, match=r"annotations have a row for each photo. Received: shapes \[\(\)\]"):
        runtime.encode(np.zeros((AT_ONCE + 1, size, size, 3), np.uint8))


def test_the_threads_of_one_graph_do_not_wait_busily_while_the_other_computes(root):
    """Both have threads on the same cores: a photo took 1.6 times as long."""
    runtime = OnnxRuntime(root / "models" / "shapes", own=True)
    for session in (runtime._encoder, runtime._step):
        assert session.get_session_options().get_session_config_entry("session.force_spinning_stop") == "1"
