"""Where the time of a photo goes: measured in seconds of processor, drawn as docs/images/bottlenecks.png.

    python docs/make_bottlenecks.py FOLDER_OF_PHOTOS

Processor seconds of one thread, so that what else the machine does hardly counts. Phone photos are the same ones,
enlarged to 12 megapixels and saved as JPEG anew.
"""

from __future__ import annotations

import io
import os
import pathlib
import sys
import tempfile
import time

import numpy as np
from matplotlib import pyplot
from PIL import Image
from pyarrow import parquet

from captioner import Captioner
from captioner.cluster.output import as_table
from captioner.pictures.reading import read_picture

ROOT = pathlib.Path(__file__).resolve().parent.parent
PHOTOS, BATCH, PHONE = 96, 16, (4000, 3000)
STAGES = ("read", "decode", "encoder", "decoder", "write")
SHOWN = ("read the file", "decode and resize", "encoder", "decoder, beam of 5", "write Parquet")


def measure(paths: list[pathlib.Path]) -> dict[str, float]:
    """Milliseconds of processor a photo, by stage."""
    captioner, spent = Captioner.from_pretrained(ROOT / "models" / "photos", threads=1), dict.fromkeys(STAGES, 0.0)
    controls = captioner._controls({})

    def timed(stage: str, call, *values):
        began = time.process_time()
        result = call(*values)
        spent[stage] += time.process_time() - began
        return result

    for warm in (True, False):
        spent.update(dict.fromkeys(STAGES, 0.0))
        for batch in batches(paths[:BATCH] if warm else paths):
            data = [timed("read", path.read_bytes) for path in batch]
            read = [timed("decode", captioner._read_square, each) for each in data]
            encoded = timed("encoder", captioner.runtime.encode, np.stack([square for square, _ in read]))
            found = timed("decoder", captioner.runtime.search, encoded, controls)
            answers = [
                (str(path), timed("decoder", captioner.read, found, row, path, read[row][1], 1)[0])
                for row, path in enumerate(batch)
            ]
            timed("write", _write, answers)
    return {stage: 1000 * seconds / len(paths) for stage, seconds in spent.items()}


def batches(paths: list[pathlib.Path]):
    """So many photos at a time."""
    return (paths[first : first + BATCH] for first in range(0, len(paths), BATCH))


def _write(answers) -> None:
    parquet.write_table(as_table(iter(answers), "photos", "", False), io.BytesIO(), compression="zstd")


def enlarge(paths: list[pathlib.Path], folder: pathlib.Path) -> list[pathlib.Path]:
    """The photos as a phone would have taken them."""
    made = []
    for path in paths:
        picture = read_picture(path).image
        size = PHONE if picture.width >= picture.height else PHONE[::-1]
        noise = np.random.default_rng(0).normal(0, 4, (size[1], size[0], 1))
        pixels = np.asarray(picture.resize(size, Image.Resampling.BICUBIC)) + noise
        made.append(folder / path.name)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(made[-1], quality=88)
    return made


def describe(paths: list[pathlib.Path]) -> str:
    """Their size, in the middle."""
    sizes = [read_picture(path).size for path in paths]
    pixels = np.median([width * height for width, height in sizes]) / 1e6
    return f"{pixels:.1f} MP, {np.median([path.stat().st_size for path in paths]) / 1000:.0f} kB"


def draw(measured: dict[str, dict[str, float]], out: pathlib.Path) -> None:
    """Stacked bars."""
    figure, axes = pyplot.subplots(figsize=(8, 2.6), layout="constrained")
    left = np.zeros(len(measured))
    for stage, shown in zip(STAGES, SHOWN, strict=True):
        values = np.array([times[stage] for times in measured.values()])
        axes.barh(list(measured), values, left=left, label=shown)
        for row, (value, start) in enumerate(zip(values, left, strict=True)):
            if value > 0.05 * max(sum(times.values()) for times in measured.values()):
                axes.text(start + value / 2, row, f"{value:.0f}", ha="center", va="center", color="white")
        left += values
    axes.set_xlabel("ms of one core a photo")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(STAGES), frameon=False, fontsize="small")
    figure.savefig(out, dpi=130)


def main() -> None:
    found = sorted(entry.path for entry in os.scandir(sys.argv[1]) if entry.name.lower().endswith((".jpg", ".jpeg")))
    paths = [pathlib.Path(path) for path in found[:PHOTOS]]
    with tempfile.TemporaryDirectory() as folder:
        large = enlarge(paths[: PHOTOS // 3], pathlib.Path(folder))
        kinds = {"small photos": paths, "photos of a phone": large}
        measured = {f"{name}\n({describe(some)})": measure(some) for name, some in kinds.items()}
    for name, times in measured.items():
        line = ", ".join(f"{stage} {value:.1f}" for stage, value in times.items())
        print(f"{name!r}: {line}; in all {sum(times.values()):.1f} ms")
    draw(measured, ROOT / "docs" / "images" / "bottlenecks.png")


if __name__ == "__main__":
    main()
