"""Many photos: started, stopped, packed."""

from __future__ import annotations

import io
import types
import zipfile

import gradio as gr
import pytest
from PIL import Image

from demo.batch import running
from demo.models import Models
from tests.unit.demo.test_demo import upload


@pytest.fixture
def batches(drawn, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    return running.Batches(Models(drawn, tmp_path))


def visitor(name: str):
    return types.SimpleNamespace(session_hash=name)


def test_a_batch_tells_of_every_row_and_ends_with_files(batches, photo):
    answers = list(batches.start([upload(photo)] * 2, "", visitor("one")))
    tables = [answer[0] for answer in answers]
    assert [(len(table["rows"]), table["running"]) for table in tables] == [(0, True), (1, True), (2, True), (2, False)]
    row = tables[-1]["rows"][0]
    assert row["sentence"].lower() == f"{row['text']}." and row["original"]["orig_name"] == "wide.jpg"
    assert 0 < row["confidence"] <= 1 and batches._stops == {}


def test_only_the_visitor_who_stops_is_stopped(batches, photo):
    files = [upload(photo)] * 3
    one, other = (batches.start(files, "", visitor(name)) for name in ("one", "other"))
    for going in (one, other):
        next(going), next(going)
    batches.stop(visitor("one"))
    batches.stop(visitor("nobody"))
    last = list(one)[-1][0]
    assert len(last["rows"]) == 1 and last["total"] == 3 and not last["running"]
    assert len(list(other)[-1][0]["rows"]) == 3


def test_contact_sheets_are_packed_under_names_of_their_own(batches, drawn, photo):
    file = upload(photo)
    text = drawn.caption(photo).text
    rows = [{"photo": {"path": file["path"], "orig_name": name}, "text": text} for name in ("../a b.jpg", "../a b.jpg")]
    *making, last = batches.sheets(types.SimpleNamespace(_data={"rows": rows, "model": ""}))
    assert [told["done"] for told in making] == [1, 2]
    with zipfile.ZipFile(last["file"]["path"]) as archive:
        assert archive.namelist() == ["001-a-b.jpg", "002-a-b.jpg"]
        with Image.open(io.BytesIO(archive.read("002-a-b.jpg"))) as sheet:
            assert sheet.format == "JPEG"


@pytest.mark.parametrize("path", ["/etc/passwd", "nowhere.jpg"])
def test_no_other_file_of_the_server_is_packed(batches, path):
    rows = [{"photo": {"path": path, "orig_name": "a.jpg"}, "text": "a"}]
    with pytest.raises(gr.Error, match="not uploaded"):
        list(batches.sheets(types.SimpleNamespace(_data={"rows": rows})))
    with pytest.raises(gr.Error, match="at most 200"):
        list(batches.sheets(types.SimpleNamespace(_data={"rows": rows * 201})))
