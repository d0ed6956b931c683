"""The doctor finds what is wrong with a data set, names it, and invents nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from captioner import DatasetError
from tests.quick import quick
from training.data.datasets import Example, read_dataset
from training.doctor.examine import examine
from training.doctor.statistics import describe
from training.prepare import prepare

LISTS = {"train": "Flickr_8k.trainImages.txt", "dev": "Flickr_8k.devImages.txt", "test": "Flickr_8k.testImages.txt"}


def photo(seed, side=96):
    """Something that no other seed resembles: soft blobs of colour."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


class Source:
    """A copy of Flickr8k in small, in its published layout: 30 pictures, two captions each."""

    def __init__(self, folder):
        self.folder = folder
        self.images, self.lines, self.lists = folder / "images", [], {split: [] for split in LISTS}
        self.images.mkdir()
        for i in range(30):
            name = f"p{i:02d}.jpg"
            photo(i).save(self.images / name, quality=92)
            self.lists["train" if i < 20 else "dev" if i < 25 else "test"].append(name)
            self.caption(name, f"A dog number {i} runs .")
            self.caption(name, f"Grass under dog {i} .")

    def caption(self, name, text):
        number = sum(line.startswith(f"{name}#".encode()) for line in self.lines)
        self.lines.append(f"{name}#{number}\t{text}".encode())

    def picture(self, name, split, picture, **options):
        """One more picture with captions of its own."""
        picture.save(self.images / name, **options)
        self.lists[split].append(name)
        self.caption(name, f"A cat called {name} .")

    def write(self) -> str:
        (self.folder / "token.txt").write_bytes(b"\n".join(self.lines) + b"\n")
        for split, file in LISTS.items():
            (self.folder / file).write_text("\n".join(self.lists[split]) + "\n")
        return f"flickr8k:{self.images}:{self.folder / 'token.txt'}:{self.folder}"


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    return Source(tmp_path / "source")


def plant(source: Source) -> set[tuple[str, str]]:
    """Twenty faults: what is planted, and where."""
    images, faults = source.images, set()

    def planted(kind, name):
        assert (kind, name) not in faults
        faults.add((kind, name))

    for name in ("p01.jpg", "p21.jpg"):
        (images / name).unlink()
        planted("missing", name)
    (images / "p02.jpg").write_bytes(b"")
    (images / "p03.jpg").write_bytes((images / "p03.jpg").read_bytes()[:700])
    (images / "p26.jpg").write_text("<html>404 Not Found</html>")
    for name in ("p02.jpg", "p03.jpg", "p26.jpg"):
        planted("unreadable", name)
    source.lists["train"].append("bare.jpg")
    photo(100).save(images / "bare.jpg")
    planted("bare", "bare.jpg")
    (images / "p05.jpg").write_bytes((images / "p04.jpg").read_bytes())
    planted("same", "p05.jpg")
    (images / "p06.jpg").write_bytes((images / "p27.jpg").read_bytes())
    planted("same", "p06.jpg")
    source.picture("small.jpg", "train", photo(22, 60), quality=80)  # of p22, dev
    planted("near", "small.jpg")
    source.picture("pale.png", "train", photo(28).point(lambda v: min(255, v + 6)))  # of p28, test
    planted("near", "pale.png")
    source.picture("coarse.jpg", "dev", photo(29), quality=20)  # of p29, test
    planted("near", "coarse.jpg")
    for name, text in (("p07.jpg", " "), ("p08.jpg", " . - !")):
        source.caption(name, text)
        planted("empty", name)
    source.caption("p09.jpg", "A dog with a caf\ufffd cup")
    planted("damaged", "p09.jpg")
    source.caption("p10.jpg", "A dog \x07 barks")
    planted("damaged", "p10.jpg")
    source.caption("p11.jpg", "A very " + "very " * 30 + "long dog")
    planted("long", "p11.jpg")
    source.caption("p12.jpg", "a dog number 12 runs")
    planted("repeated", "p12.jpg")
    source.lines.append(b"p13.jpg#2 A dog without a tab")
    planted("entry", f"token.txt line {len(source.lines)}")
    source.lines.append("p14.jpg#2\tUn chien à la plage".encode("latin-1"))
    planted("entry", f"token.txt line {len(source.lines)}")
    source.lists["test"].append("p15.jpg")
    planted("entry", f"{LISTS['test']} line {len(source.lists['test'])}")
    assert len(faults) == 20
    return faults


def test_twenty_planted_faults_are_found_and_none_is_invented(source, tmp_path):
    faults = plant(source)
    examination = prepare(source.write(), tmp_path / "data")
    assert {(finding.kind, finding.name) for finding in examination.findings} == faults
    assert len(examination.findings) == 20
    kept = {example.image.name for example in read_dataset(tmp_path / "data")}
    gone = {name for kind, name in faults if kind in ("missing", "unreadable", "bare", "same")}
    assert not gone & kept
    assert len(kept) == 33 - 7  # 30 pictures and three near duplicates, seven of the 30 left out
    captions = {e.image.name: e.captions for e in read_dataset(tmp_path / "data")}
    assert len(captions["p07.jpg"]) == len(captions["p09.jpg"]) == 2
    assert len(captions["p11.jpg"]) == len(captions["p12.jpg"]) == 3
    report = (tmp_path / "data" / "report.html").read_text()
    for _, name in faults:
        assert name in report


def test_a_sound_data_set_has_no_finding(source, tmp_path, capsys):
    assert prepare(source.write(), tmp_path / "data", strict=True).findings == []
    assert "nothing is wrong" in capsys.readouterr().out
    assert len(read_dataset(tmp_path / "data")) == 30


def test_near_duplicates_go_when_asked(source, tmp_path):
    plant(source)
    prepare(source.write(), tmp_path / "data", drop_near_duplicates=True)
    names = {example.image.name for example in read_dataset(tmp_path / "data")}
    assert not {"small.jpg", "pale.png", "coarse.jpg"} & names
    assert {"p22.jpg", "p28.jpg", "p29.jpg"} <= names


def test_strict_refuses_after_the_report_is_written(source, tmp_path):
    source.caption("p00.jpg", "")
    with pytest.raises(DatasetError, match="has 1 findings and --strict allows none; see .*report.html"):
        prepare(source.write(), tmp_path / "data", strict=True)
    assert (tmp_path / "data" / "report.html").exists()
    assert not (tmp_path / "data" / "captions.jsonl").exists()


def test_nothing_that_can_be_used_is_refused(tmp_path):
    (tmp_path / "mine.csv").write_text("image,caption\nnone.jpg,A dog\n")
    with pytest.raises(DatasetError, match="has no picture that can be used"):
        prepare(str(tmp_path / "mine.csv"), tmp_path / "data")
    with pytest.raises(DatasetError, match="shares of dev and test are 0 or more"):
        prepare(str(tmp_path / "mine.csv"), tmp_path / "data", dev=0.6, test=0.5)


@pytest.mark.parametrize("count", quick([3], [1, 3]))
@pytest.mark.parametrize("splits", quick(["dev", "train dev"], ["train", "dev", "test", "dev test", "train dev"]))
def test_splits_without_a_picture_are_named_and_the_report_is_drawn(tmp_path, capsys, splits, count):
    """Without a training caption there is no word to count, and a chart of counts ended in a traceback."""
    rows = []
    for i, split in enumerate(splits.split() * count):
        photo(i).save(tmp_path / f"{i}.png")
        rows.append({"image": f"{i}.png", "captions": ["dog"], "split": split})
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    prepare(str(tmp_path / "mine.jsonl"), tmp_path / "data")
    said, report = " ".join(capsys.readouterr().out.split()), (tmp_path / "data" / "report.html").read_text()
    missing = "train" not in splits
    for shown in (said, report.replace("&#39;", "'")):
        assert ("no picture is in the split 'train', so nothing can be trained" in shown) == missing
    assert ("How often each word occurs" in report) != missing
    assert "Captions of a picture" in report


def test_captions_cannot_inject_markup(tmp_path):
    photo(1).save(tmp_path / "a.png")
    rows = [{"image": "a.png", "captions": ["a <script>alert(1)</script> dog"], "split": "train"}]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    prepare(str(tmp_path / "mine.jsonl"), tmp_path / "data")
    assert "<script>" not in (tmp_path / "data" / "report.html").read_text()


def test_unknown_words_by_hand():
    examples = [
        Example("a", "train", ("a dog runs", "a dog")),
        Example("b", "dev", ("a cat",)),
    ]
    statistics = describe(examples)
    assert statistics.words == [("a", 2), ("dog", 2), ("runs", 1)]
    assert statistics.vocabulary[:3] == [
        (1, 3, 0.0, 0.5),
        (2, 2, 1 / 5, 0.5),
        (3, 0, 1.0, 1.0),
    ]
    assert (statistics.lengths, statistics.captions_per_picture) == ([3, 2, 2], [2, 1])


def test_solid_colours_are_not_taken_for_each_other(tmp_path):
    from training.data.datasets.reading import Reading, Record

    records = []
    for split, colour in (("train", "red"), ("dev", "blue"), ("test", "black")):
        Image.new("RGB", (40, 40), colour).save(tmp_path / f"{colour}.png")
        records.append(Record(tmp_path / f"{colour}.png", ["a wall"], split))
    assert examine(Reading(records), max_words=9).findings == []


def test_pictures_outside_their_folder_are_counted_and_not_shown(tmp_path):
    photo(1).save(tmp_path / "private.png")
    (tmp_path / "mine").mkdir()
    photo(2).save(tmp_path / "mine" / "a.png")
    (tmp_path / "mine" / "mine.csv").write_text(f"image,caption\na.png,A dog\n{tmp_path}/private.png,A key\n")
    examination = prepare(str(tmp_path / "mine" / "mine.csv"), tmp_path / "data")
    assert [(finding.kind, finding.name) for finding in examination.findings] == [("outside", "private.png")]
    assert "A key" not in (tmp_path / "data" / "report.html").read_text()
    assert [example.image.name for example in read_dataset(tmp_path / "data")] == ["a.png"]
    prepare(str(tmp_path / "mine" / "mine.csv"), tmp_path / "data", allow_outside=True)
    assert len(read_dataset(tmp_path / "data")) == 2


def test_a_name_that_could_steer_a_terminal_is_shown_as_it_is_written(tmp_path, capsys):
    photo(1).save(tmp_path / "a.png")
    rows = [{"image": name, "caption": "A dog"} for name in ("a.png", "\x1b[31mred.png")]
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    examination = prepare(str(tmp_path / "mine.jsonl"), tmp_path / "data")
    assert [finding.name for finding in examination.findings] == ["\\x1b[31mred.png"]
    assert "\x1b[31mred" not in capsys.readouterr().out
