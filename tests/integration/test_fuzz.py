"""Bytes that nobody chose, in place of pictures, caption files and model folders: read or refused in one line.

The examples are the same in every run. With FUZZ_EXAMPLES=20000 there are so many of each kind, others every time.
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import pathlib
import shutil
import struct
import tempfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from captioner import CaptionerError, DatasetError, ImageError, ModelError
from captioner.folders.folder import COMMON, read_common, verify, write_json, write_manifest
from captioner.pictures import reading
from captioner.pictures.reading import read_picture
from captioner.pictures.tags import check_tags
from tests import pictures
from training.data.datasets import read_boxes, read_dataset
from training.data.datasets.sources import read_source

pytestmark = pytest.mark.filterwarnings("ignore")  # Pillow tells of damaged tags
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 0))


def fuzz(examples: int):
    quiet = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    return settings(
        max_examples=EXAMPLES or examples, derandomize=not EXAMPLES, deadline=None, suppress_health_check=quiet
    )


@st.composite
def changed(draw, originals: list[bytes]) -> bytes:
    """One of some files with a few bytes of it changed, lost, doubled or put in."""
    data = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        kind = draw(st.sampled_from(("set", "flip", "number", "cut", "lose", "double", "insert")))
        if kind == "set" and data:
            data[place] = draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x5B, 0x7B)))
        elif kind == "flip" and data:
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "number":
            data[place : place + 4] = draw(st.sampled_from((b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\1")))
        elif kind == "cut":
            del data[place:]
        elif kind == "lose":
            del data[place : place + draw(st.integers(1, 64))]
        elif kind == "double":
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
        else:
            data[place:place] = draw(st.binary(max_size=32))
    return bytes(data)


def one_line(error: CaptionerError) -> None:
    assert str(error) and "\n" not in str(error) and str(error).isprintable()


@functools.cache
def small_pictures() -> list[bytes]:
    """Made when they are asked for: every process of `make test` imports this file, and one runs it."""
    odd_ones = (*pictures.every_mode_and_format(), *pictures.options_of_formats())
    return [odd.data for odd in odd_ones if len(odd.data) < 9000]


@fuzz(400)
@given(st.deferred(lambda: changed(small_pictures())))
def test_pictures(data):
    try:
        picture = read_picture(data)
    except ImageError as error:
        one_line(error)
    else:
        assert picture.image.mode == "RGB" and min(picture.size) >= 1
        assert picture.image.width * picture.image.height <= reading.FULL_PIXELS
        assert pictures.pillow_reports(data) is None, "Pillow reports damage, and it was read"


@fuzz(150)
@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*"]), st.binary())
def test_noise_behind_the_first_bytes(start, rest):
    try:
        read_picture(start + rest)
    except ImageError as error:
        one_line(error)


@fuzz(200)
@given(
    st.sampled_from("<>"),
    st.lists(st.tuples(*(st.integers(0, top) for top in (65535, 20, 2**32 - 1, 2**32 - 1)))),
    st.binary(max_size=200),
)
def test_tags(order, tags, rest):
    """However tags name each other, counting them ends."""
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}L", 8)
    data = (
        head + struct.pack(f"{order}H", len(tags)) + b"".join(struct.pack(f"{order}HHLL", *tag) for tag in tags) + rest
    )
    try:
        check_tags(data, "it")
    except ImageError as error:
        one_line(error)


ROWS = [{"image": f"{i}.jpg", "split": "train", "captions": ["a dog runs", "two dogs"]} for i in range(3)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
COCO = {
    "images": [{"id": 1, "file_name": "a.jpg", "width": 9, "height": 9}],
    "annotations": [{"id": 2, "image_id": 1, "caption": "a dog"}],
}
KARPATHY = {"images": [{"filename": "a.jpg", "split": "train", "sentences": [{"raw": "a dog"}]}], "dataset": "flickr8k"}
SOURCES = {
    "jsonl:FILE": b'{"image": "a.jpg", "caption": "a dog"}\n{"image": "b.jpg", "captions": ["two dogs"]}\n',
    "csv:FILE": b'image,caption\na.jpg,"a dog, runs"\nb.jpg,two dogs\n',
    "tsv:FILE": b"image\tcaption\na.jpg\ta dog\n",
    "flickr8k:IMAGES:FILE": b"a.jpg#0\ta dog runs .\na.jpg#1\ttwo dogs\n",
    "coco:IMAGES:FILE": json.dumps(COCO).encode(),
    "karpathy:IMAGES:FILE": json.dumps(KARPATHY).encode(),
}


@pytest.mark.parametrize("source", SOURCES)
def test_caption_files_as_they_are_published(source, tmp_path):
    suffix = source.split(":")[0] if source.endswith("v:FILE") else "json" if "coco" in source else "txt"
    path = tmp_path / f"file.{suffix}"
    named = source.replace("FILE", str(path)).replace("IMAGES", str(tmp_path))

    @fuzz(80)
    @given(changed([SOURCES[source]]))
    def run(data):
        path.write_bytes(data)
        try:
            read_source(named)
        except DatasetError as error:
            one_line(error)

    run()


def test_the_caption_file_and_boxes_that_training_reads(tmp_path):
    boxes = json.dumps({"0.jpg": [{"text": "a dog", "phrases": [{"word": 1, "type": "dog", "boxes": [[0, 0, 1, 1]]}]}]})

    @fuzz(120)
    @given(changed([LINES]), changed([boxes.encode()]), st.booleans())
    def run(captions, boxes, broken):
        (tmp_path / "captions.jsonl").write_bytes(captions)
        packed = gzip.compress(boxes)
        (tmp_path / "boxes.json.gz").write_bytes(packed[:-9] if broken else packed)
        for read in (lambda: read_dataset(tmp_path), lambda: read_boxes(tmp_path / "boxes.json.gz")):
            try:
                read()
            except DatasetError as error:
                one_line(error)

    run()


@pytest.mark.parametrize("name", ["config.json", "vocabulary.txt", "metrics.json", "manifest.json"])
def test_texts_of_a_model_folder(saved, tmp_path, name):
    folder = shutil.copytree(saved, tmp_path / "copy")

    @fuzz(120)
    @given(changed([(saved / name).read_bytes()]))
    def run(data):
        (folder / name).write_bytes(data)
        if name in COMMON:
            write_manifest(folder)
        try:
            assert verify(folder) == "keras"
            read_common(folder)
        except ModelError as error:
            one_line(error)

    run()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)


@fuzz(150)
@given(JSON, st.sampled_from(["config.json", "manifest.json", "metrics.json"]))
def test_any_json_in_a_model_folder(saved, value, name):
    with tempfile.TemporaryDirectory() as above:
        folder = shutil.copytree(saved, pathlib.Path(above) / "copy")
        try:
            write_json(folder / name, value)
        except UnicodeEncodeError:
            return
        if name in COMMON:
            write_manifest(folder)
        try:
            verify(folder)
            read_common(folder)
        except ModelError as error:
            one_line(error)


def test_weights(saved, tmp_path):
    from captioner.folders.weights import open_weights

    path = tmp_path / "model.safetensors"

    @fuzz(150)
    @given(changed([(saved / "model.safetensors").read_bytes()]))
    def run(data):
        path.write_bytes(data)
        try:
            with open_weights(path) as weights:
                assert all(weights.read(name).shape == shape for name, shape in weights.shapes.items())
        except ModelError as error:
            one_line(error)

    run()
