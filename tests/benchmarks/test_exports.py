"""Whether an exported folder writes what its model writes, on the photos under CAPTIONER_DATA."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from captioner import Captioner

PHOTOS = 1000


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_an_export_writes_what_its_model_writes(captioner, root, tmp_path, kind):
    """Same pixels in: at least 995 of 1,000 texts are the same, and where they are, so are the masks."""
    data = os.environ.get("CAPTIONER_DATA")
    photos = sorted(pathlib.Path(data).rglob("*.jpg"))[:PHOTOS] if data else []
    if not photos:
        pytest.skip("CAPTIONER_DATA holds no photos")
    command = ["-m", "captioner.export", "models/photos", str(tmp_path / kind), "--format", kind]
    subprocess.run([sys.executable, *command], cwd=root, check=True, capture_output=True)
    exported = Captioner.from_pretrained(tmp_path / kind)
    same, apart, ties = 0, 0.0, []
    answers = (model.captions(photos, beam_width=3) for model in (captioner, exported))
    for ours, theirs in zip(*answers, strict=True):
        if ours.text == theirs.text:
            same += 1
            apart = max(apart, *(np.abs(a.mask - b.mask).max() for a, b in zip(ours.words, theirs.words, strict=True)))
        else:
            ties.append(abs(ours.score - theirs.score))
    print(f"\n{kind}: {same} of {len(photos)} texts are the same; their masks differ by {apart:.1e} at most", end="")
    print(f"; the scores of the other texts differ by {max(ties):.1e} at most" if ties else "")
    assert same >= 0.995 * len(photos)
    assert apart < 1e-3
