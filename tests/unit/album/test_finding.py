"""Which photos a folder, a pattern or a list stands for."""

from __future__ import annotations

import io
import os
import random
import sys

import pytest

from captioner.album.finding import find_photos, read_list
from captioner.errors import ConfigError, ImageError


def names(found, top):
    return [os.path.relpath(photo, top) for photo in found.photos]


def make(top, *paths):
    for path in paths:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(b"")


def test_a_folder_in_the_order_of_names_without_what_machines_keep(tmp_path):
    make(tmp_path, "b.JPG", "a.png", "c/d.jpg", "c/.hidden.jpg", ".git/e.jpg", "@eaDir/f.jpg", "notes.txt")
    found = find_photos([tmp_path])
    assert names(found, tmp_path) == ["a.png", "b.JPG", "c/d.jpg"]
    assert found.skipped == {"hidden": 2, "of machines": 1, "no pictures": 1}
    assert found.folders == [tmp_path]


def test_patterns_by_name_and_by_path(tmp_path):
    make(tmp_path, "a.jpg", "b.png", "raw/a.jpg", "raw/deep/x.jpg")
    assert names(find_photos([tmp_path], include=["*.jpg"]), tmp_path) == ["a.jpg", "raw/a.jpg", "raw/deep/x.jpg"]
    assert names(find_photos([tmp_path], exclude=["raw/"]), tmp_path) == ["a.jpg", "b.png"]
    assert names(find_photos([tmp_path], include=["raw/deep/*"]), tmp_path) == ["raw/deep/x.jpg"]
    assert names(find_photos([f"{tmp_path}/**/*.jpg"]), tmp_path) == ["a.jpg", "raw/a.jpg", "raw/deep/x.jpg"]


def test_links_are_not_followed(tmp_path):
    make(tmp_path, "in/a.jpg", "out/b.jpg")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "away").symlink_to(tmp_path / "out")
    (tmp_path / "in" / "c.jpg").symlink_to(tmp_path / "out" / "b.jpg")
    found = find_photos([tmp_path / "in"])
    assert names(found, tmp_path) == ["in/a.jpg"] and found.skipped == {"links": 3}


def test_files_are_taken_as_they_are_given(tmp_path):
    make(tmp_path, "[x].jpg", "no suffix")
    given = [f"{tmp_path}/no suffix", f"{tmp_path}/[x].jpg", "./missing.jpg", f"{tmp_path}/no suffix"]
    assert find_photos(given).photos == given


def test_a_folder_without_photos_is_an_error_in_its_place(tmp_path):
    make(tmp_path, "a.jpg", "empty/readme.txt")
    first, second = find_photos([tmp_path / "empty", tmp_path / "a.jpg"]).photos
    assert isinstance(first, ImageError) and "is a folder without photos" in str(first)
    assert second == tmp_path / "a.jpg"


def test_two_thousand_odd_names(tmp_path):
    rng = random.Random(7)
    letters = [*"-'\" $`\\*?[]{}~#%&;|<>\n\t", "ä", "語", "ع", "\u202e", "🙂"]
    wanted = set()
    while len(wanted) < 2000:
        name = "".join(rng.choices(letters, k=rng.randint(3, 12))).encode() + rng.choice([b"", b"\xe9", b"\xff\xfe"])
        wanted.add(b"-" + name + b".jpg")
    for name in wanted:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    found = find_photos([tmp_path])
    assert [os.fsencode(os.path.basename(photo)) for photo in found.photos] == sorted(wanted)
    listed = tmp_path / "list"
    listed.write_bytes(b"".join(os.fsencode(photo) + b"\0" for photo in found.photos))
    assert read_list(str(listed)) == [str(photo) for photo in found.photos]


def test_lists_by_line_and_from_stdin(tmp_path, monkeypatch):
    (tmp_path / "list").write_bytes(b"a.jpg\r\n\n-b.jpg\nc\xe9.jpg")
    assert read_list(str(tmp_path / "list")) == ["a.jpg", "-b.jpg", "c\udce9.jpg"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"x.jpg\n")))
    assert read_list("-") == ["x.jpg"]
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_list(str(tmp_path / "none"))


def test_a_folder_that_vanishes_while_it_is_read(tmp_path, monkeypatch):
    make(tmp_path, "a.jpg", "b/c.jpg", "d.jpg")
    scan = os.scandir

    def vanishing(path):
        if os.fspath(path).endswith("b"):
            raise FileNotFoundError(2, "No such file or directory")
        return scan(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    *good, bad = find_photos([tmp_path]).photos
    assert [path.name for path in good] == ["a.jpg", "d.jpg"] and "b: cannot be opened" in str(bad)
