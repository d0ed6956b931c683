"""Without the packages that the light install leaves out, a line says how to get them."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("missing", "arguments", "line"),
    [
        ("keras", ["--runtime", "keras"], "pip install 'captioner[tensorflow]'"),
        ("watchfiles", ["--watch", "--write", "txt"], "pip install 'captioner[watch]'"),
    ],
)
def test_what_is_left_out_is_named(root, photo, tmp_path, missing, arguments, line):
    (tmp_path / "photo.jpg").write_bytes(photo.read_bytes())
    code = (
        f"import sys\nsys.modules[{missing!r}] = None\nfrom captioner.__main__ import main\n"
        f"sys.argv = ['captioner', {str(tmp_path)!r}, '--model', 'shapes', *{arguments}]\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("captioner: ") and last.endswith(line) and "Traceback" not in done.stderr
