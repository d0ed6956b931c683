from __future__ import annotations

import pyarrow
import pytest
from pyarrow import parquet as pq

from captioner.cluster.listing import MARK, Photo, find_photos
from captioner.cluster.stores import Place
from captioner.errors import ConfigError


@pytest.fixture
def library(tmp_path):
    """A folder as people have it: folders within, hidden files, texts, links, and captions of an earlier job."""
    for name in ("b.jpg", "a.JPG", "notes.txt", ".hidden.jpg", "2019/c.png", "2019/sea/d.jpeg", "@eaDir/thumb.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.jpg")
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions" / MARK).write_text("{}")
    pq.write_table(pyarrow.table({"path": ["x.jpg"]}), tmp_path / "captions" / "captions-1.parquet")
    return tmp_path


def names(top, *sources, **options) -> list[str]:
    return [photo.name.replace(str(top), "") for photo in find_photos(sources, **options)]


def test_a_folder_in_order_without_what_is_no_photo(library):
    wanted = ["/a.JPG", "/b.jpg", "/2019/c.png", "/2019/sea/d.jpeg"]
    assert names(library, str(library)) == wanted
    assert names(library, f"file://{library}") == [f"file://{name}" for name in wanted]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.jpg", ["/b.jpg"]),
        ("**/*.jp*g", ["/b.jpg", "/2019/sea/d.jpeg"]),
        ("20??/*", ["/2019/c.png"]),
        ("[!b].JPG", ["/a.JPG"]),
    ],
)
def test_a_pattern(library, pattern, wanted):
    assert names(library, f"{library}/{pattern}") == wanted
    assert names(library, f"file://{library}/{pattern}") == [f"file://{name}" for name in wanted]


def test_a_pattern_of_this_folder(library, monkeypatch):
    monkeypatch.chdir(library)
    assert names(library, "*/c.png") == ["2019/c.png"]


def test_a_file_is_taken_as_it_is(library):
    assert names(library, str(library / "notes.txt")) == ["/notes.txt"]


@pytest.mark.parametrize("source", ["none", "none/*.jpg", "s4://bucket/photos", ""])
def test_what_is_not_there_is_named(library, source, monkeypatch):
    monkeypatch.chdir(library)
    with pytest.raises(ConfigError, match=source.split("/")[0].split(":")[0] or "does not exist"):
        list(find_photos([source]))


def test_a_table_of_paths(library):
    table = library / "2019" / "table.parquet"
    pq.write_table(pyarrow.table({"id": [1, 2, 3], "path": ["c.png", "/abs.jpg", "s3://bucket/e.jpg"]}), table)
    assert names(library, str(table)) == ["/2019/c.png", "/abs.jpg", "s3://bucket/e.jpg"]


@pytest.mark.parametrize("kind", ["bytes", "struct"])
def test_a_table_of_pictures(library, kind):
    table, values = library / "pictures.parquet", [b"1", b"22"]
    column = values if kind == "bytes" else [{"bytes": value, "path": None} for value in values]
    pq.write_table(pyarrow.table({"image": column}), table)
    first, second = find_photos([str(table)])
    assert (first.row, second.row, second.name) == (0, 1, f"{table}#1")
    assert second.column == ("image" if kind == "bytes" else "image.bytes")
    assert second.place == Place.of(str(table))


def test_a_column_that_is_not_there(library):
    table = library / "table.parquet"
    pq.write_table(pyarrow.table({"id": [1], "path": [7]}), table)
    with pytest.raises(ConfigError, match=r"no column of paths or pictures .*Received: id, path"):
        list(find_photos([str(table)]))
    with pytest.raises(ConfigError, match="no column picture "):
        list(find_photos([str(table)], column="picture"))


@pytest.mark.parametrize("name", ["a/b.jpg", "/a/b.jpg", "s3://bucket/a/b c%20.jpg", "hdfs://host:8020/a#b.jpg"])
def test_a_place_is_named_as_it_was_given(name):
    assert Place.of(name).name == name
    assert Photo(f"{name}#12", "image", 12).place.name == name
