from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet as pq

from captioner.album.session import model_version
from captioner.captioner import Captioner
from captioner.cluster import worker
from captioner.cluster.listing import Photo, find_photos
from captioner.cluster.model_parcel import pack, unpack
from captioner.cluster.output import Output
from captioner.cluster.worker import Job, Worker, fetched
from captioner.errors import ImageError


@pytest.fixture(scope="module")
def model(root):
    return root / "models" / "shapes"


@pytest.fixture
def make_worker(model, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    out = str(tmp_path / "out")
    job = Job(out, Output(out).open({}), "shapes", model_version(model), "onnx", 1, {"beam_width": 1}, False)
    return lambda: Worker(job, pack(model)[1])


def batch(*photos: Photo, name: str = "captions-1.parquet"):
    return {
        "name": np.array([name]),
        "photos": np.array([json.dumps([dataclasses.astuple(photo) for photo in photos])]),
    }


def test_a_model_travels(model, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    name, parcel = pack(model)
    folder = unpack(name, parcel, "0123456789abcdef0123")
    assert (folder.name, folder.parent.name) == ("shapes", "0123456789abcdef")
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in model.iterdir())
    assert unpack(name, b"not needed again", "0123456789abcdef0123") == folder


def test_a_shard_is_written_once(make_worker, photo, tmp_path, model):
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    photos = [
        Photo(str(photo)),
        Photo(str(tmp_path / "bad.jpg")),
        Photo(f"file://{photo}"),
        Photo(str(tmp_path / "no")),
    ]
    made = make_worker()
    answer = made(batch(*photos))
    assert (answer["photos"].tolist(), answer["errors"].tolist()) == ([4], [2])
    rows = pq.read_table(tmp_path / "out" / "captions-1.parquet").to_pylist()
    assert [row["path"] for row in rows] == [photo.name for photo in photos]
    text = Captioner.from_pretrained(model).caption(photo, beam_width=1).text
    assert [row["caption"] for row in rows] == [text, None, text, None]
    assert rows[1]["error"].startswith(str(tmp_path / "bad.jpg")) and "does not exist" in rows[3]["error"]
    written = (tmp_path / "out" / "captions-1.parquet").stat().st_mtime_ns
    assert made(batch(*photos))["errors"].tolist() == [2]
    assert (tmp_path / "out" / "captions-1.parquet").stat().st_mtime_ns == written


def test_pictures_in_a_table(make_worker, photo, tmp_path):
    data = photo.read_bytes()
    pq.write_table(
        pyarrow.table({"image": [data, b"", None, data[:100], data]}), tmp_path / "t.parquet", row_group_size=2
    )
    photos = list(find_photos([str(tmp_path / "t.parquet")]))
    assert make_worker()(batch(*photos))["errors"].tolist() == [3]
    rows = pq.read_table(tmp_path / "out" / "captions-1.parquet").to_pylist()
    assert [row["path"] for row in rows] == [f"{tmp_path}/t.parquet#{row}" for row in range(5)]
    assert rows[0]["caption"] == rows[4]["caption"] and rows[0]["caption"]
    assert all(row["error"].startswith(row["path"]) for row in rows[1:4])


def test_what_fails_is_fetched_again(photo, monkeypatch):
    tries = []

    def read(place):
        tries.append(place.name)
        if len(tries) < 3:
            raise OSError("the network is down")
        return b"here"

    monkeypatch.setattr(worker, "_read", read)
    monkeypatch.setattr(worker, "PAUSES", (0, 0, 0))
    assert [source for _, source in fetched([Photo(f"file://{photo}")])] == [b"here"]
    tries[:] = []
    monkeypatch.setattr(worker, "PAUSES", (0, 0))
    ((_, error),) = fetched([Photo(f"file://{photo}")])
    assert isinstance(error, ImageError) and "the network is down" in str(error)


def test_rows_that_are_gone(tmp_path):
    pq.write_table(pyarrow.table({"image": [b"1"]}), tmp_path / "t.parquet")
    ((_, error),) = fetched([Photo(f"{tmp_path}/t.parquet#5", "image", 5)])
    assert isinstance(error, ImageError) and "no such row" in str(error)
