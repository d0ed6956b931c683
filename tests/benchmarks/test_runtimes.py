"""Keras against ONNX Runtime on the same photos, in turn: words, masks, and what a caption costs beside its encoding.

make bench ARGS="-k runtimes -s"; $CAPTIONER_PHOTOS names a folder of photos, $CAPTIONER_COUNT how many of them to take.
Seconds are those of the processor, so that other work beside it changes them little.
Wanted are 1.15 times the encoder alone.
"""

from __future__ import annotations

import collections
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from captioner import Captioner
from captioner.config import decoding_options
from captioner.pictures.geometry import network_square
from captioner.pictures.reading import read_picture
from captioner.search.controls import Controls

COUNT, BATCH = int(os.environ.get("CAPTIONER_COUNT", "1000")), 16
WIDTHS, RUNTIMES = (3, 5), ("keras", "onnx")
ALIKE, MASKS = 0.995, 1e-3
PEAK = """
import pathlib, sys
from captioner import Captioner
captions = Captioner.from_pretrained("models/photos", "onnx", threads=2).captions(sys.argv[1:], beam_width=5)
count = sum(1 for _ in captions)
peak = pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(count, int(peak) // 1024)
"""


@pytest.fixture(scope="module")
def photos() -> list[pathlib.Path]:
    folder = os.environ.get("CAPTIONER_PHOTOS")
    if not folder:
        pytest.skip("CAPTIONER_PHOTOS names no folder of photos")
    return sorted(pathlib.Path(folder).iterdir())[:COUNT]


class Sides:
    """Both runtimes, and the seconds of the processor that each took for each task."""

    def __init__(self, root: pathlib.Path):
        self.captioners = {name: Captioner.from_pretrained(root / "models" / "photos", name) for name in RUNTIMES}
        self.seconds: dict[tuple[str, str], list[float]] = collections.defaultdict(list)

    def batch(self, files):
        """Captions of a batch by width and runtime, the runtimes in turn."""
        found = {}
        for name in RUNTIMES if len(self.seconds["keras", "encode"]) % 2 else RUNTIMES[::-1]:
            captioner = self.captioners[name]
            pictures = [read_picture(file) for file in files]
            encoder = captioner.config.encoder
            squares = np.stack([network_square(p.image, encoder.image_size, encoder.resize) for p in pictures])
            encoded = self._timed((name, "encode"), captioner.runtime.encode, squares)
            for width in WIDTHS:
                decoder = captioner.config.decoder
                options = decoding_options(decoder, {"beam_width": width})
                controls = Controls.resolve(options, captioner.vocabulary, decoder.max_words)
                answer = self._timed((name, f"beam {width}"), captioner.runtime.search, encoded, controls)
                found[width, name] = [
                    captioner.read(answer, row, file, picture.size, 1)[0]
                    for row, (file, picture) in enumerate(zip(files, pictures, strict=True))
                ]
        return found

    def _timed(self, task, function, *arguments):
        began = time.process_time()
        result = function(*arguments)
        self.seconds[task].append(time.process_time() - began)
        return result

    def cost(self, name: str, width: int) -> float:
        """Encoding and search over encoding alone, without the first batch, where graphs are compiled."""
        encode, search = (
            sum(spent[1:] or spent) for spent in (self.seconds[name, "encode"], self.seconds[name, f"beam {width}"])
        )
        return (encode + search) / encode


def test_both_runtimes_say_the_same(root, photos):
    sides, same, apart, done = Sides(root), collections.Counter(), collections.Counter(), 0
    for files in _batches(photos):
        found = sides.batch(files)
        done += len(files)
        for width in WIDTHS:
            for one, other in zip(found[width, "keras"], found[width, "onnx"], strict=True):
                same[width] += one.text == other.text
                if one.text == other.text:
                    gaps = [np.abs(a.mask - b.mask).max() for a, b in zip(one.words, other.words, strict=True)]
                    apart[width] = max(apart[width], *gaps, 0.0)
        told = [f"beam {w}: {same[w]} the same, masks within {apart[w]:.1e}" for w in WIDTHS]
        spent = [f"{n} {t} {np.mean(s[1:] or s) / BATCH * 1e3:.1f}" for (n, t), s in sorted(sides.seconds.items())]
        print(f"{done} photos; {'; '.join(told)}; processor's ms a photo: {', '.join(spent)}", flush=True)
    costs = {(name, width): round(sides.cost(name, width), 3) for name in RUNTIMES for width in WIDTHS}
    print("with the search, times the encoder alone:", costs)
    assert all(same[width] >= ALIKE * done and apart[width] <= MASKS for width in WIDTHS)


def _batches(photos):
    return [photos[start : start + BATCH] for start in range(0, len(photos), BATCH)]


def test_peak_memory_of_onnxruntime(root, photos):
    command = [sys.executable, "-c", PEAK, *map(str, photos[:200])]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    count, megabytes = map(int, answer.stdout.split())
    print(f"\n{count} photos, beam 5, batches of 16: at most {megabytes} MB in memory")
    assert megabytes < 1000
