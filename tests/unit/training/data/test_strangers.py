"""Files of captions and boxes that were made to harm, or by mistake: one line that names the place, or a count."""

from __future__ import annotations

import gzip
import json
import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner import CaptionerError, DatasetError
from training.data.datasets import json_text, read_boxes, read_dataset
from training.data.datasets.sources import read_source
from training.evaluation.coco_results import read_predictions

GOOD = {
    "boxes": {"a.jpg": [{"text": "a dog", "phrases": [{"word": 1, "type": "x", "boxes": [[0, 0, 0.5, 1]]}]}]},
    "captions": {"image": "a.jpg", "split": "train", "captions": ["a dog"]},
    "jsonl": {"image": "a.jpg", "captions": ["a dog"], "split": "train", "group": "g"},
    "coco": {"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [{"image_id": 7, "caption": "a dog"}]},
    "karpathy": {"images": [{"filename": "a.jpg", "split": "val", "sentences": [{"raw": "a dog"}]}]},
    "results": [{"image_id": 7, "caption": "a dog"}],
}


def read(kind: str, folder: pathlib.Path, data: bytes):
    """The reader of a kind of file, on this file."""
    names = {"boxes": "boxes.json.gz", "captions": "captions.jsonl", "jsonl": "mine.jsonl", "coco": "c.json"}
    path = folder / names.get(kind, "d.json")
    path.write_bytes(data)
    if kind == "boxes":
        return read_boxes(path)
    if kind == "captions":
        return read_dataset(folder)
    if kind == "results":
        return read_predictions(path, [])
    return read_source(f"{kind}:{path}" if kind == "jsonl" else f"{kind}:{folder}:{path}")


def mangled(value, replacement):
    """Copies of a JSON value, each with one of its parts replaced."""
    yield replacement
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            for part in mangled(value[key], replacement):
                copy = value.copy()
                copy[key] = part
                yield copy
        if isinstance(value, dict):
            yield from ({other: value[other] for other in value if other != key} for key in value)


WRONG = [None, True, -3, 1.5, 10**400, "x", "n" * 300, "a\0b", [], [[]], {}, {"a": {"b": [1]}}, [[1, 2]]]


@pytest.mark.parametrize("kind", GOOD)
def test_any_part_of_any_other_type_is_told_in_one_line(kind, tmp_path):
    for wrong in WRONG:
        for value in mangled(GOOD[kind], wrong):
            try:
                read(kind, tmp_path, json.dumps(value).encode())
            except CaptionerError as error:
                assert "\n" not in str(error)


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' * 150 + b"1" + b"}" * 150,
        b"[" + b"9" * 5000 + b"]",
        b'{"image": "\\ud800.jpg", "split": "train", "captions": ["a \\udfff"]}',
        b'[{"image_id": 1, "caption": "\\ud83d"}]',
        b"[1e400, NaN]",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf",
        b"",
        b"\x1f\x8b" + b"\0" * 9,
        gzip.compress(b"{}", mtime=0)[:-4],
    ],
)
@pytest.mark.parametrize("kind", GOOD)
def test_json_that_no_reader_can_take(kind, data, tmp_path):
    try:
        found = read(kind, tmp_path, data)
    except DatasetError as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 1000
    else:
        assert not getattr(found, "records", found)  # a file of lines counts the bad ones, an empty one has none


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(list(GOOD)), place=st.integers(0, 400), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_byte_is_never_a_traceback(kind, place, byte, cut, tmp_path_factory):
    data = bytearray(json.dumps(GOOD[kind]).encode())
    place %= len(data)
    data[place:] = b"" if cut else bytes([byte]) + data[place + 1 :]
    try:
        read(kind, tmp_path_factory.mktemp("damaged"), bytes(data))
    except CaptionerError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("boxes", "place"),
    [
        ([[0, 0, 1]], r"a\.jpg\.0\.phrases\.0\.boxes\.0: List should have at least 4 items"),
        ([[0, 0, 1, "1"]], r"a\.jpg\.0\.phrases\.0\.boxes\.0\.3: Input should be a valid number"),
        ([[0, 0, 300, 200]], r"a\.jpg\.0\.phrases\.0\.boxes\.0\.2: Input should be less than"),
        ([], r"a\.jpg\.0\.phrases\.0\.boxes: List should have at least 1 item"),
    ],
)
def test_a_wrong_box_is_named(boxes, place, tmp_path):
    value = {"a.jpg": [{"text": "a dog", "phrases": [{"word": 1, "boxes": boxes}]}]}
    with pytest.raises(DatasetError, match=place):
        read("boxes", tmp_path, json.dumps(value).encode())


def test_gzip_is_unpacked_no_further_than_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(json_text, "MOST_JSON", 3_000_000)
    unpacked = []
    kept = bytearray.__iadd__

    class Counting(bytearray):
        def __iadd__(self, more):
            unpacked.append(len(more))
            return kept(self, more)

    monkeypatch.setattr(json_text, "bytearray", Counting, raising=False)
    bomb = gzip.compress(b" " * 60_000_000)
    with pytest.raises(DatasetError, match="unpacks to more than 3,000,000 bytes"):
        read("boxes", tmp_path, bomb)
    assert sum(unpacked) <= 3_000_000 + json_text.CHUNK
    monkeypatch.setattr(json_text, "MOST_JSON", 10)
    with pytest.raises(DatasetError, match="has 11 bytes, and 10 is the most"):
        read("boxes", tmp_path, b" " * 11)


def test_names_that_no_file_can_have_are_counted_and_the_others_read(tmp_path):
    rows = [{"image": name, "caption": "a dog"} for name in ("n" * 300 + ".jpg", "ä" * 130 + ".jpg", "ok.jpg")]
    reading = read("jsonl", tmp_path, "\n".join(map(json.dumps, rows)).encode())
    assert [record.image.name for record in reading.records] == ["ok.jpg"]
    assert [reason for _, reason in reading.faults] == [
        "its name has 304 bytes, and a file's has 255 or fewer",
        "its name has 264 bytes, and a file's has 255 or fewer",
    ]


def test_a_folder_entry_that_is_not_utf_8_is_counted(tmp_path):
    for name in (b"caf\xe9", b"ok"):
        (pathlib.Path(tmp_path) / (name + b".jpg").decode("utf-8", "surrogateescape")).write_bytes(b"")
        (pathlib.Path(tmp_path) / (name + b".txt").decode("utf-8", "surrogateescape")).write_text("a dog")
    reading = read_source(str(tmp_path))
    assert [record.image.name for record in reading.records] == ["ok.jpg"]
    assert [reason for _, reason in reading.faults] == ["its name is not UTF-8; rename it"]


OUTSIDE = ["/elsewhere/x.jpg", "../x.jpg", "sub/../../x.jpg", "sub/../../photos-of-others/x.jpg"]


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "coco", "karpathy", "flickr8k"])
def test_a_picture_outside_the_folder_is_left_out_unless_asked_for(kind, name, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    values = {
        "csv": f"image,caption\n{name},a dog\nin.jpg,a cat\nsub/../in2.jpg,a cow\n",
        "jsonl": "\n".join(json.dumps({"image": n, "caption": "a"}) for n in (name, "in.jpg", "sub/../in2.jpg")),
        "coco": json.dumps(
            {
                "images": [{"id": i, "file_name": n} for i, n in enumerate((name, "in.jpg", "sub/../in2.jpg"))],
                "annotations": [{"image_id": i, "caption": "a"} for i in range(3)],
            }
        ),
        "karpathy": json.dumps(
            {
                "images": [
                    {"filename": n, "split": "train", "sentences": [{"raw": "a"}]}
                    for n in (name, "in.jpg", "sub/../in2.jpg")
                ]
            }
        ),
        "flickr8k": f"{name}#0\ta dog\nin.jpg#0\ta cat\nsub/../in2.jpg#0\ta cow\n",
    }
    path = tmp_path / "file"
    path.write_text(values[kind])
    source = f"{kind}:{path}:{photos}" if kind in ("csv", "jsonl") else f"{kind}:{photos}:{path}"
    reading = read_source(source)
    assert [record.image for record in reading.records] == [photos / "in.jpg", photos / "in2.jpg"]
    assert [where for where, _ in reading.outside] == ["x.jpg"]
    assert len(read_source(source, allow_outside=True).records) == 3
