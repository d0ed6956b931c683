"""Which kernels TensorFlow computes with."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

CODE = """
from captioner.quiet import load_tensorflow
load_tensorflow()
from tensorflow.python.framework.test_util import IsMklEnabled
print(IsMklEnabled())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="TensorFlow brings oneDNN for x86-64")
@pytest.mark.parametrize(("choice", "used"), [({}, "True"), ({"TF_ENABLE_ONEDNN_OPTS": "0"}, "False")])
def test_onednn_is_used_unless_someone_chose_otherwise(root, choice, used):
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"} | choice
    done = subprocess.run([sys.executable, "-c", CODE], cwd=root, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == used, done.stderr
