"""What a data set's captions and names tell of how they went wrong, and what to do before training."""

from __future__ import annotations

import csv
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from captioner.vocabulary import split_words
from training.data.datasets import Example
from training.data.datasets.reading import Reading, Record
from training.doctor.examine import examine
from training.doctor.lost import Lost
from training.doctor.pictures import alike, look_at
from training.doctor.statistics import advice, describe
from training.doctor.text import mend_twice_encoded
from training.prepare import prepare

RIGHT = [
    "Gebäude",
    "crème brûlée à Zürich",
    "It’s a “dog” — 5 €",
    "Ein Straßenköter",
    "日本の犬",
    "собака бежит",
    "Ærø Ø",
]


def photo(seed, side=96):
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("text", RIGHT)
@pytest.mark.parametrize("wrong", ["cp1252", "latin-1"])
def test_text_that_was_encoded_twice_is_mended(text, wrong):
    data = text.encode()
    try:
        twice = data.decode(wrong)
    except UnicodeDecodeError:
        twice = "".join(
            bytes([b]).decode(wrong if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin-1") for b in data
        )
    assert twice != text
    assert mend_twice_encoded(twice) == text


@pytest.mark.parametrize("text", [*RIGHT, "AÇÃO «SÃO» ALLÉ» «À»", "Â", "100 °C ± 5", "naïve", "NÃO É"])
def test_text_that_is_right_stays(text):
    assert mend_twice_encoded(text) == text


def test_captions_encoded_twice_or_without_a_letter(tmp_path):
    photo(0).save(tmp_path / "a.png")
    record = Record(tmp_path / "a.png", ["Ein GebÃ¤ude", "12 — ?", "3 dogs", "犬"], "train")
    examination = examine(Reading([record]), max_words=9)
    assert [(f.kind, f.detail) for f in examination.findings] == [
        ("letterless", "'12 — ?'"),
        ("twice", "Ein GebÃ¤ude is now Ein Gebäude"),
    ]
    assert examination.examples[0].captions == ("Ein Gebäude", "3 dogs", "犬")


def test_nearly_the_same_within_a_split(tmp_path):
    photo(1).save(tmp_path / "a.png")
    photo(1, 64).save(tmp_path / "b.jpg", quality=80)
    photo(1, 80).save(tmp_path / "c.jpg", quality=70)
    photo(2).save(tmp_path / "d.png")
    names = ("a.png", "b.jpg", "c.jpg", "d.png")
    records = [Record(tmp_path / name, ["a dog"], "train") for name in names]
    examination = examine(Reading(records), max_words=9)
    assert [(f.kind, f.name) for f in examination.findings] == [("alike", "b.jpg"), ("alike", "c.jpg")]
    assert len(examination.examples) == 4
    looks = [look_at(record.image) for record in records]
    assert set(alike(looks, ["train"] * 4)) == {(0, 1), (0, 2), (1, 2)}
    assert set(alike(looks, ["train", "dev", "train", "dev"])) == {(0, 2)}


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("img_1.jpg", "IMG_1.JPG is there: another case of its letters"),
        ("sub/img_2.jpg", "img_2.jpg is there: another folder"),
        ("img_3.jpg", "deep/er/img_3.jpg is there: another folder"),
        ("img_2.png", "img_2.jpg is there: another ending"),
        ("x/IMG_2.jpg", "img_2.jpg is there: another folder and case of its letters"),
        ("img_9.jpg", ""),
    ],
)
def test_a_missing_picture_is_looked_for(asked, hint, tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for name in ("IMG_1.JPG", "img_2.jpg", "deep/er/img_3.jpg", "img_9.txt"):
        (tmp_path / name).write_bytes(b"")
    assert Lost(tmp_path).hint(tmp_path / asked) == hint


def test_the_hint_stands_with_the_finding(tmp_path):
    photo(0).save(tmp_path / "A.PNG")
    (tmp_path / "mine.csv").write_text("Photo,Description\na.png,A dog\nA.PNG,A dog\nb.png,A cat\n")
    findings = prepare(str(tmp_path / "mine.csv"), tmp_path / "data").findings
    assert [(f.name, f.detail) for f in findings if f.kind == "missing"] == [
        ("a.png", "A.PNG is there: another case of its letters"),
        ("b.png", f"not in {tmp_path}"),
    ]


def test_json_lines_may_name_their_keys_as_a_table_does(tmp_path):
    photo(0).save(tmp_path / "a.png")
    (tmp_path / "mine.jsonl").write_text('{"Photo": "a.png", "Description": "A dog"}\n')
    assert prepare(str(tmp_path / "mine.jsonl"), tmp_path / "data").examples[0].captions == ("A dog",)


def examples(train, dev, test):
    counts = {"train": train, "dev": dev, "test": test}
    return [Example(f"{split}{i}", split, ("a dog",)) for split, count in counts.items() for i in range(count)]


def test_small_splits_and_unknown_words_come_with_what_to_do():
    assert advice(describe(examples(30, 20, 20))) == []
    small = advice(describe(examples(30, 2, 20)))
    assert len(small) == 1
    assert small[0].startswith("dev has 2 pictures, and dev chooses the best weights")
    assert "--dev" in small[0]
    rare = [Example(f"r{i}", "train", (f"word{i // 2}", "a b c")) for i in range(40)]
    (line,) = advice(describe([*rare, *examples(0, 20, 20)]))
    assert "25.0 % of the words would be unknown" in line
    assert "--set min_count=2, which leaves 0.0 %" in line


def test_shapes_have_a_report(tmp_path, monkeypatch):
    from training import shapes

    draw = shapes.write_shapes
    monkeypatch.setattr(
        shapes, "write_shapes", lambda out, **options: draw(out, {"train": 12, "dev": 3, "test": 3}, **options)
    )
    examination = prepare("shapes", tmp_path)
    assert len(examination.examples) == 18
    report = (tmp_path / "report.html").read_text()
    assert "Data set report" in report
    assert split_words(examination.examples[0].captions[0])[-1] in report


def test_pillow_says_nothing_on_stderr(root, tmp_path):
    exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x05" + b"\x01\x12\0\x03\0\0\0\x01" + b"\xff" * 4  # Pillow warns of it
    with (tmp_path / "mine.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *((f"{i}.jpg", "a dog") for i in range(3))])
    for i in range(3):
        photo(i).save(tmp_path / f"{i}.jpg", exif=exif)
    command = [sys.executable, "-m", "training.prepare", str(tmp_path / "mine.csv"), "--out", str(tmp_path / "data")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
