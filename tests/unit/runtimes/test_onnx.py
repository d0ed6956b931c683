"""onnxruntime is loaded once, and leaves nothing among temporary files."""

from __future__ import annotations

import os
import tempfile

import pytest

from captioner.runtimes.onnx import OnnxRuntime, _load_onnxruntime


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
