"""Captions in metadata, read back by a fresh exiftool; pixels and every other field stay."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from PIL import Image

from captioner.album.run import Existing
from captioner.album.wording import Wording
from captioner.errors import ConfigError
from captioner.sidecar import text_of_packet, xmp_packet
from tests.quick import quick
from tests.unit.album.conftest import encoded, snapshot

needs_exiftool = pytest.mark.skipif(not shutil.which("exiftool"), reason="exiftool is not installed")
NAMES = ("a.jpg", "b.png", "c.webp", "d.tif")
CAMERA = {
    "IFD0:Make": "Maker of cameras",
    "IFD0:Artist": "Jörg",
    "ExifIFD:DateTimeOriginal": "2020:01:02 03:04:05",
    "GPS:GPSLatitudeRef": "North",
    "XMP-dc:Creator": "Jörg",
    "XMP-xmp:Rating": 4,
}


def fields(*paths):
    """Of each file, all read by one exiftool, whose start takes most of the time."""
    command = ["exiftool", "-j", "-G1", "-a", "-charset", "exif=UTF8", *paths]
    found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert [row["SourceFile"] for row in found] == [str(path) for path in paths]
    return found


def others(found):
    """Every field but the captions and what any writing changes."""
    own = ("System:", "File:", "ExifTool:", "SourceFile", "XMP-x:XMPToolkit", "RIFF:", "IFD0:StripOffsets")
    return {
        tag: v for tag, v in found.items() if not tag.startswith(own) and "Description" not in tag and "Alt" not in tag
    }


def pixels(path):
    with Image.open(path) as picture:
        return np.asarray(picture).copy()


@pytest.fixture
def camera_photos(tmp_path):
    folder = tmp_path / "camera"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    noise[..., 0] |= 128
    for name in NAMES:
        Image.fromarray(noise).save(folder / name)
    tags = [f"-{tag}={value}" for tag, value in CAMERA.items()]
    command = [
        "exiftool",
        "-q",
        "-overwrite_original",
        "-charset",
        "exif=UTF8",
        *tags,
        *(folder / name for name in NAMES),
    ]
    subprocess.run(command, check=True)
    return folder


@needs_exiftool
def test_every_field_is_read_back_and_all_others_stay(camera_photos, write, undo):
    before, paths = snapshot(camera_photos), [camera_photos / name for name in NAMES]
    was = [(pixels(path), others(found)) for path, found in zip(paths, fields(*paths), strict=True)]
    summary, lines = write(camera_photos, "metadata,xmp,txt", wording=Wording(suffix=' of $5, @work: "x" \\ <é>'))
    assert (lines, summary.captioned) == ([], 4)
    text = 'A red thing of $5, @work: "x" \\ <é>.'
    *read, sidecar = fields(*paths, camera_photos / "a.xmp")
    for path, now, (pixels_before, others_before) in zip(paths, read, was, strict=True):
        assert now["XMP-iptcCore:AltTextAccessibility"] == now["XMP-dc:Description"] == text, path
        assert now["PNG:Description" if path.name == "b.png" else "IFD0:ImageDescription"] == text, path
        assert np.array_equal(pixels(path), pixels_before), path
        assert others(now) == others_before, path
    assert sidecar["XMP-iptcCore:AltTextAccessibility"] == sidecar["XMP-dc:Description"] == text
    after = snapshot(camera_photos)
    summary, _ = write(camera_photos, "metadata,xmp,txt", wording=Wording(suffix=' of $5, @work: "x" \\ <é>'))
    assert (summary.captioned, summary.unchanged) == (0, 4) and snapshot(camera_photos) == after
    assert undo(camera_photos)[1] == 0 and snapshot(camera_photos) == before


@needs_exiftool
@pytest.mark.parametrize("existing", quick([Existing.skip, Existing.append], Existing))
def test_captions_of_others_in_photo_and_sidecar(camera_photos, write, undo, existing):
    subprocess.run(["exiftool", "-q", "-overwrite_original", "-XMP-dc:Description=By hand.", camera_photos / "a.jpg"])
    tags = ["-XMP-dc:Description=By hand.", "-XMP-xmp:Rating=5"]
    subprocess.run(["exiftool", "-q", *tags, "-o", camera_photos / "b.xmp"], check=True)
    before = snapshot(camera_photos)
    for _ in range(2):
        assert write(camera_photos, "metadata,xmp", existing=existing)[0].failed == 0
        photo, sidecar = fields(camera_photos / "a.jpg", camera_photos / "b.xmp")
        for found in (photo, sidecar):
            assert found["XMP-dc:Description"] == {
                "skip": "By hand.", "overwrite": "A red thing.", "append": "By hand. A red thing.",
                "prepend": "A red thing. By hand.",
            }[existing]  # fmt: skip
        assert sidecar["XMP-xmp:Rating"] == 5
    while any(undo(camera_photos)[:2]):  # a run that was killed before its first file has nothing to put back
        pass
    assert snapshot(camera_photos) == before


@needs_exiftool
def test_what_has_no_place_for_metadata(photos, write):
    (photos / "e.gif").write_bytes(encoded(format="GIF"))
    (photos / "f.jpg").write_bytes(b"\xff\xd8\xff no picture")
    summary, lines = write(photos, "metadata")
    assert (summary.captioned, summary.failed) == (3, 2)
    assert "e.gif: is no JPEG, PNG, WebP or TIFF" in "".join(lines)


WAITS = "from captioner.album.exiftool import ExifTool as T; t = T(''); print(t._process.pid, flush=True); input()"


@needs_exiftool
def test_exiftool_ends_with_whoever_was_killed(root):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    group = int(process.stdout.readline())
    os.killpg(group, 0)  # it is there
    process.kill()
    process.communicate()
    patience = time.monotonic() + 30
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < patience:
            os.killpg(group, 0)
            time.sleep(0.05)


def test_without_exiftool(photos, write, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="metadata needs exiftool, which is not there; install it"):
        write(photos, "metadata")
    (photos / "b.xmp").write_text("<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    summary, lines = write(photos, "xmp")
    assert summary.captioned == 2 and "b.xmp: a sidecar that others wrote needs exiftool" in lines[0]
    assert text_of_packet((photos / "a.xmp").read_bytes()) == "A red thing."


def test_a_sidecar_knows_its_own_text():
    for text in ("A dog.", "<&> 'x' \"y\" é"):
        assert text_of_packet(xmp_packet(text)) == text
    assert text_of_packet(xmp_packet("A dog.") + b" ") is None


def test_alt_text_and_sidecar_of_a_caption(painted, photos, tmp_path):
    caption = painted.caption(photos / "a.jpg", ("stands", "green", "blue"))
    assert caption.sentence == "A red thing stands green blue."
    assert caption.alt_text(20) == "A red thing stands." and caption.alt_text() == caption.sentence
    caption.save_sidecar(tmp_path / "a.xmp", max_characters=25)
    assert text_of_packet((tmp_path / "a.xmp").read_bytes()) == "A red thing stands green."
    with pytest.raises(ConfigError, match="20 or more"):
        caption.alt_text(5)


KILLED = """
import contextlib, pathlib, sys
from captioner.album import ledger
ledger.RUNS_KEPT = 1_000_000  # a quick machine makes more runs than are kept, and all are to be put back
from captioner.album.finding import find_photos
from captioner.album.ledger import Ledger
from captioner.album.run import Album, Existing, Request
from captioner.album.summary import Summary
from captioner.album.targets import make_targets
from captioner.album.wording import Wording
from tests.unit.album.conftest import Painted
folder = pathlib.Path(sys.argv[1])
ledger = Ledger(folder)
for turn in range(1000):
    request = Request("1", wording=Wording(prefix=f"{turn} "), existing=Existing.overwrite)
    album = Album(request, Painted, ledger, make_targets(["metadata,txt"], folder, ledger), print)
    album.run(find_photos([folder]).photos, Summary())
    print("turn", flush=True)
"""


@needs_exiftool
@pytest.mark.slow
def test_kills_at_random_moments_lose_and_halve_no_file(root, camera_photos, undo, monkeypatch):
    monkeypatch.setattr("captioner.album.ledger.RUNS_KEPT", 1_000_000)
    was = {name: pixels(camera_photos / name) for name in NAMES}
    rng, before = np.random.default_rng(3), snapshot(camera_photos)
    for _ in range(20):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), camera_photos], cwd=root, stdout=subprocess.PIPE
        )
        process.stdout.readline()
        time.sleep(rng.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for name, found in zip(NAMES, fields(*(camera_photos / name for name in NAMES)), strict=True):
            assert np.array_equal(pixels(camera_photos / name), was[name])
            assert found["XMP-dc:Description"].endswith("red thing.")
    while any(undo(camera_photos)[:2]):  # a run that was killed before its first file has nothing to put back
        pass
    assert set(snapshot(camera_photos)) == set(before)
    for name in NAMES:
        assert np.array_equal(pixels(camera_photos / name), was[name])
