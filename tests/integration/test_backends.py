"""The same model code trains on TensorFlow and on JAX."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest


def losses(backend: str, root, shapes) -> list[float]:
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(root), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "tests/integration/steps.py", str(shapes)]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["backend"] == backend
    return result["losses"]


@pytest.mark.slow
def test_tensorflow_and_jax_train_alike(root, shapes):
    tensorflow, jax = losses("tensorflow", root, shapes), losses("jax", root, shapes)
    assert len(tensorflow) > 2 and tensorflow[-1] < tensorflow[0]
    np.testing.assert_allclose(tensorflow, jax, atol=1e-3)
