"""Captions written once, and put back: modes, memory, journal, and what goes wrong on disks."""

from __future__ import annotations

import csv
import errno
import json
import os
import threading

import pytest

from captioner.album import files
from captioner.album.finding import find_photos
from captioner.album.ledger import Ledger
from captioner.album.run import Album, Existing, Request
from captioner.album.summary import Summary
from captioner.album.targets import make_targets
from captioner.album.wording import Wording
from captioner.errors import ConfigError
from tests.unit.album.conftest import encoded, snapshot

ALL = "txt,csv,jsonl,html"


def rows(folder):
    with (folder / "captions.csv").open(newline="") as file:
        return {row["image"]: row["caption"] for row in csv.DictReader(file)}


def test_every_target_holds_every_caption(photos, write):
    summary, lines = write(photos, ALL)
    assert (summary.captioned, summary.failed, lines) == (3, 0, [])
    assert (photos / "a.txt").read_text() == "a red thing\n"
    assert (photos / "deep/c.txt").read_text() == "a blue thing\n"
    assert rows(photos) == {"a.jpg": "a red thing", "b.png": "a green thing", "deep/c.webp": "a blue thing"}
    lines = [json.loads(line) for line in (photos / "captions.jsonl").read_text().splitlines()]
    assert [line["image"] for line in lines] == ["a.jpg", "b.png", "deep/c.webp"]
    page = (photos / "captions.html").read_text()
    assert page.count("<figure") == 3 and 'alt="A blue thing."' in page and 'href="./deep/c.webp"' in page


def test_the_page_says_in_words_what_is_not_sure(photos, write, painted):
    painted.confidence = 0.2
    write(photos, "html")
    assert (photos / "captions.html").read_text().count("20 % confident, not sure") == 3


@pytest.mark.parametrize("existing", Existing)
def test_every_mode_twice(photos, write, undo, painted, existing):
    (photos / "a.txt").write_text("my trigger,")
    (photos / "captions.csv").write_text("image,caption,mine\nb.png,words of mine,1\nelsewhere.jpg,stays,2\n")
    before = snapshot(photos)
    summary, _ = write(photos, "txt,csv", existing=existing)
    assert summary.failed == 0
    own, of_csv = "a red thing", "a green thing"
    assert (photos / "a.txt").read_text().strip() == {
        "skip": "my trigger,", "overwrite": own, "append": f"my trigger, {own}", "prepend": f"{own}, my trigger,"
    }[existing]  # fmt: skip
    assert rows(photos)["b.png"] == {
        "skip": "words of mine", "overwrite": of_csv, "append": f"words of mine, {of_csv}",
        "prepend": f"{of_csv}, words of mine",
    }[existing]  # fmt: skip
    assert rows(photos)["elsewhere.jpg"] == "stays" and "mine" in (photos / "captions.csv").read_text()
    after, asked = snapshot(photos), len(painted.asked)
    summary, _ = write(photos, "txt,csv", existing=existing)
    assert (summary.captioned, summary.unchanged + summary.kept, len(painted.asked)) == (0, 3, asked)
    assert snapshot(photos) == after
    put_back, left, _ = undo(photos)
    assert left == 0 and put_back and snapshot(photos) == before


def test_a_caption_of_an_older_model_makes_room_and_the_words_around_it_stay(photos, write):
    (photos / "a.txt").write_text("mine")
    write(photos, "txt", existing=Existing.append)
    write(photos, "txt", existing=Existing.append, wording=Wording(prefix="photo of "))
    assert (photos / "a.txt").read_text() == "mine, photo of a red thing\n"
    write(photos, "txt", existing=Existing.prepend, model="2")
    assert (photos / "a.txt").read_text() == "a red thing, mine\n"


def test_only_new_and_changed_photos_are_captioned(photos, write, painted):
    write(photos, ALL)
    painted.asked.clear()
    (photos / "b.png").write_bytes(encoded((9, 9, 99), "PNG"))
    (photos / "new.jpg").write_bytes(encoded((9, 99, 9)))
    os.utime(photos / "a.jpg", (1, 1))  # another time, the same content
    summary, _ = write(photos, ALL)
    assert sorted(painted.asked) == ["b.png", "new.jpg"] and summary.unchanged == 2
    assert rows(photos)["b.png"] == "a blue thing" == (photos / "b.txt").read_text().strip()
    assert (photos / "captions.html").read_text().count("<figure") == 4


def test_what_was_deleted_is_written_again_without_the_network(photos, write, painted):
    write(photos, ALL)
    painted.asked.clear()
    for name in ("a.txt", "captions.csv", "captions.html"):
        (photos / name).unlink()
    write(photos, ALL)
    assert painted.asked == [] and (photos / "a.txt").exists() and len(rows(photos)) == 3
    assert (photos / "captions.html").read_text().count("<figure") == 3


def test_a_run_that_was_killed_goes_on(photos, write, painted):
    """Only what a kill leaves: the memory, without the files that are written at the end."""
    stop = threading.Event()

    class Killed(Exception):
        pass

    def die():
        raise Killed

    with pytest.raises(Killed):
        ledger = Ledger(photos)
        album = Album(Request("1"), lambda: painted, ledger, make_targets([ALL], photos, ledger))
        album._flush = lambda summary: None
        try:
            album.run(find_photos([photos]).photos, Summary(), stop, die)
        finally:
            ledger.close()
    assert not (photos / "captions.csv").exists() and (photos / "a.txt").exists()
    painted.asked.clear()
    write(photos, ALL)
    assert "a.jpg" not in painted.asked and len(rows(photos)) == 3
    assert (photos / "captions.html").read_text().count("<figure") == 3


def test_a_stop_ends_after_the_photo_in_hand(photos, painted):
    stop, summary = threading.Event(), Summary()
    album = Album(Request("1"), lambda: painted)
    album.run(find_photos([photos]).photos, summary, stop, stop.set)
    assert summary.captioned == 1 and summary.interrupted and "stopped" in str(summary)


def test_dry_run_shows_and_leaves_no_trace(photos, write):
    (photos / "a.txt").write_text("mine")
    before = snapshot(photos)
    _, proposed = write(photos, "txt,html", dry_run=True, existing=Existing.overwrite)
    assert f"{photos / 'a.txt'}\ta red thing instead of: mine" in proposed and len(proposed) == 6
    assert snapshot(photos) == before and not (photos / ".captioner").exists()


def test_a_dry_run_shows_no_text_that_stands_there_already(photos, write):
    write(photos, "txt")
    _, proposed = write(photos, "txt", dry_run=True, model="2", existing=Existing.overwrite)
    assert proposed == []
    (photos / "a.txt").write_text("by hand")
    _, proposed = write(photos, "txt", dry_run=True, model="2", existing=Existing.overwrite)
    assert proposed == [f"{photos / 'a.txt'}\ta red thing instead of: by hand"]


def test_a_dry_run_ends_where_nobody_reads_on(photos, write):
    shown = []

    def head(line):
        if shown:
            raise BrokenPipeError
        shown.append(line)

    with pytest.raises(BrokenPipeError):
        write(photos, "txt", dry_run=True, show=head)


def test_undo_goes_back_run_by_run_and_spares_what_was_changed_since(photos, write, undo):
    before = snapshot(photos)
    write(photos, ALL)
    first = snapshot(photos)
    write(photos, ALL, model="2", wording=Wording(suffix=" indeed"))
    (photos / "a.txt").write_text("by hand")
    put_back, left, lines = undo(photos)
    assert (put_back, left) == (5, 1) and "a.txt: was changed since" in lines[0]
    assert snapshot(photos) == first | {"a.txt": b"by hand"}
    (photos / "a.txt").write_bytes(first["a.txt"])
    assert undo(photos)[:2] == (6, 0)
    assert snapshot(photos) == before
    assert undo(photos)[:2] == (0, 0)
    assert write(photos, ALL)[0].captioned == 3 and snapshot(photos) == first


def test_undo_restores_the_time_of_the_last_change(photos, write, undo):
    (photos / "a.txt").write_text("mine")
    os.utime(photos / "a.txt", ns=(10**18, 10**18))
    write(photos, "txt", existing=Existing.overwrite)
    undo(photos)
    assert (photos / "a.txt").stat().st_mtime_ns == 10**18


def test_two_photos_that_want_the_same_text_file(photos, write):
    (photos / "a.png").write_bytes(encoded())
    summary, lines = write(photos, "txt")
    assert summary.failed == 1 and summary.captioned == 3
    assert "a.png" in lines[0] and "is that of" in lines[0]


def test_read_only_and_odd_targets_are_found_before_the_work(photos, write, painted):
    (photos / "a.txt").write_text("mine")
    (photos / "a.txt").chmod(0o444)
    (photos / "b.txt").symlink_to("/etc/passwd")
    summary, lines = write(photos, "txt", existing=Existing.overwrite)
    assert (summary.captioned, summary.failed) == (1, 2)
    assert "a.txt cannot be written: it is read-only" in lines[0] and "not a file of its own" in lines[1]
    assert painted.asked == ["c.webp"] and (photos / "a.txt").read_text() == "mine"


def test_a_full_disk_stops_the_run_and_harms_nothing(photos, write, monkeypatch):
    (photos / "a.txt").write_text("mine")
    before = snapshot(photos)

    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", full)
        summary, lines = write(photos, "txt", existing=Existing.overwrite)
    assert snapshot(photos) == before and summary.captioned == 0 and "disk is full" in summary.stopped
    assert "No space left on device" in lines[0]
    assert write(photos, "txt", existing=Existing.overwrite)[0].captioned == 3


def test_photos_that_vanish_break_or_change_while_the_network_works(photos, write, painted):
    (photos / "broken.jpg").write_bytes(b"no picture")
    caption = painted.caption

    def changing(image, **options):
        answer = caption(image, **options)
        if image.name == "a.jpg":
            image.write_bytes(encoded((1, 2, 250)))
        elif image.name == "b.png":
            image.unlink()
        return answer

    painted.caption = changing
    summary, lines = write(photos, ALL)
    assert (summary.captioned, summary.failed) == (1, 3)
    assert "was changed" in lines[0] and "No such file" in lines[1] and "is not a picture" in lines[2]
    painted.caption = caption
    write(photos, ALL)
    assert rows(photos) == {"a.jpg": "a blue thing", "deep/c.webp": "a blue thing"}


def test_one_run_at_a_time(photos, write):
    ledger = Ledger(photos)
    with pytest.raises(ConfigError, match="another run is at work"):
        write(photos, "txt")
    ledger.close()
    assert write(photos, "txt")[0].captioned == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("captions.csv", "name,colour\na,b\n", "no columns image and caption"),
        ("captions.jsonl", '{"image": "a.jpg"}\n[1]\n', "line 2, is no object"),
        ("captions.html", "<p>mine", "is another page"),
    ],
)
def test_files_of_others_are_not_taken_for_ours(photos, write, name, content, message):
    (photos / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        write(photos, ALL)
    assert (photos / name).read_text() == content


def test_an_unknown_target_is_named(photos, write):
    with pytest.raises(ConfigError, match="captions are written to txt.*'word'"):
        write(photos, "txt,word")


def test_a_difference_is_small_and_exact():
    old, new = b"head" + b"x" * 9000, b"head and more" + b"x" * 9000
    how = files.difference(old, new)
    assert files.older(new, how) == old and len(how.middle) < 10
    for old, new in ((b"", b"abc"), (b"abc", b""), (b"aaa", b"aa"), (b"abcabc", b"abc"), (b"same", b"same")):
        assert files.older(new, files.difference(old, new)) == old
