"""Every layout that data sets are published in, read as published; what cannot be read is named by file and line."""

from __future__ import annotations

import json
import pathlib

import pytest

from captioner import DatasetError
from training.data.datasets import read_dataset
from training.data.datasets.reading import Record
from training.data.datasets.sources import read_source
from training.data.datasets.splitting import HELD_OUT, complete_split


def found(reading):
    return {record.image.name: (record.split, record.captions) for record in reading.records}


def write(path, text, encoding="utf-8", newline="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    return path


def splits(folder, pattern="Flickr_8k.{}Images.txt", names=("train", "dev", "test"), suffix=".jpg"):
    for split, picture in zip(names, "abc", strict=True):
        write(folder / pattern.format(split), f"{picture}{suffix}\n")
    return folder


TOKENS = "".join(f"{n}.jpg#{i}\tCaption {i} of {n} .\n" for n in "abcd" for i in range(2))
OF_TOKENS = {n: [f"Caption {i} of {n} ." for i in range(2)] for n in "abcd"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_flickr8k_token_file_with_its_split(tmp_path, encoding, newline):
    path = write(tmp_path / "Flickr8k.token.txt", TOKENS, encoding, newline)
    reading = read_source(f"flickr8k:{tmp_path}/images:{path}:{splits(tmp_path / 'lists')}")
    assert found(reading) == {
        "a.jpg": ("train", OF_TOKENS["a"]),
        "b.jpg": ("dev", OF_TOKENS["b"]),
        "c.jpg": ("test", OF_TOKENS["c"]),
    }
    assert reading.faults == []
    assert reading.records[0].image == tmp_path / "images" / "a.jpg"


def test_flickr8k_of_kaggle(tmp_path):
    text = 'image,caption\na.jpg,"A dog , a cat and ""Rex"" ."\na.jpg,A dog runs .\nb.jpg,One , two .\n'
    path = write(tmp_path / "captions.txt", text)
    reading = read_source(f"flickr8k:{tmp_path}:{path}")
    assert found(reading) == {
        "a.jpg": ("", ['A dog , a cat and "Rex" .', "A dog runs ."]),
        "b.jpg": ("", ["One , two ."]),
    }


def test_flickr30k_results_and_token(tmp_path):
    rows = "image_name| comment_number| comment\na.jpg| 0| Two men | one hat .\na.jpg| 1| Men .\nb.jpg| 4   A dog .\n"
    reading = read_source(f"flickr30k:{tmp_path}:{write(tmp_path / 'results.csv', rows)}")
    assert found(reading) == {"a.jpg": ("", ["Two men | one hat .", "Men ."])}
    assert reading.faults == [
        ("results.csv line 4", "expected name.jpg| number| caption. Received: 'b.jpg| 4   A dog .'")
    ]
    token = write(tmp_path / "results_20130124.token", TOKENS)
    lists = splits(tmp_path / "lists", "{}.txt", ("train", "val", "test"), suffix="")
    assert found(read_source(f"flickr30k:{tmp_path}:{token}:{lists}"))["b.jpg"] == ("dev", OF_TOKENS["b"])


def coco(path, pictures, captions):
    images = [{"id": i, "file_name": name, "height": 3} for i, name in pictures.items()]
    notes = [{"id": n, "image_id": i, "caption": text} for n, (i, text) in enumerate(captions)]
    return write(path, json.dumps({"info": {}, "images": images, "annotations": notes}))


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_coco_captions(tmp_path, year):
    coco(tmp_path / f"captions_train{year}.json", {7: "COCO_7.jpg"}, [(7, "A dog. "), (7, "Dogs")])
    coco(tmp_path / f"captions_val{year}.json", {8: "COCO_8.jpg"}, [(8, "A cat."), (9, "Nothing.")])
    (tmp_path / "images" / f"val{year}").mkdir(parents=True)
    reading = read_source(f"coco:{tmp_path / 'images'}:{tmp_path}")
    assert found(reading) == {"COCO_7.jpg": ("train", ["A dog.", "Dogs"]), "COCO_8.jpg": (HELD_OUT, ["A cat."])}
    assert [r.image.parent.name for r in reading.records] == ["images", f"val{year}"]
    assert reading.faults == [(f"captions_val{year}.json annotations[1]", "no picture has the id 9")]
    one = read_source(f"coco:{tmp_path}:{tmp_path / f'captions_val{year}.json'}")
    assert found(one) == {"COCO_8.jpg": ("", ["A cat."])}


def test_karpathys_splits(tmp_path):
    entry = lambda name, split, *texts, **more: {
        "filename": name,
        "split": split,
        "sentences": [{"raw": text, "tokens": text.split()} for text in texts],
        **more,
    }
    images = [
        entry("a.jpg", "train", "A dog.", "Dogs"),
        entry("b.jpg", "val", "A cat"),
        entry("c.jpg", "test", "A bird"),
        entry("d.jpg", "restval", "A cow", filepath="val2014"),
        {"filename": "e.jpg"},
    ]
    path = write(tmp_path / "dataset_flickr8k.json", json.dumps({"images": images, "dataset": "flickr8k"}))
    reading = read_source(f"karpathy:{tmp_path}:{path}")
    assert found(reading) == {
        "a.jpg": ("train", ["A dog.", "Dogs"]),
        "b.jpg": ("dev", ["A cat"]),
        "c.jpg": ("test", ["A bird"]),
        "d.jpg": ("train", ["A cow"]),
    }
    assert reading.records[3].image == tmp_path / "val2014" / "d.jpg"
    assert [place for place, _ in reading.faults] == ["dataset_flickr8k.json images[4]"]


def test_csv_with_quotes_and_line_ends_in_fields(tmp_path):
    text = 'Image,caption_1,caption_2,split,group\na.jpg,"Red, ""big""\ndog",A dog,train,x\nb.jpg,Ein Hund,,val,\n'
    reading = read_source(str(write(tmp_path / "mine.csv", text, "utf-8-sig", "\r\n")))
    assert found(reading) == {"a.jpg": ("train", ['Red, "big"\ndog', "A dog"]), "b.jpg": ("dev", ["Ein Hund"])}
    assert [record.group for record in reading.records] == ["x", ""]
    assert reading.records[0].image == tmp_path / "a.jpg"


def test_tsv_with_a_row_a_caption(tmp_path):
    path = write(tmp_path / "mine.tsv", "file\ttext\na.jpg\tA dog, running\na.jpg\t两只狗\nb.jpg\tA cat\n")
    reading = read_source(f"tsv:{path}:{tmp_path / 'photos'}")
    assert found(reading) == {"a.jpg": ("", ["A dog, running", "两只狗"]), "b.jpg": ("", ["A cat"])}
    assert reading.records[0].image == tmp_path / "photos" / "a.jpg"


def test_json_lines(tmp_path):
    rows = '{"image": "a.jpg", "captions": ["A dog"], "split": "test"}\n\n'
    rows += '{"file_name": "b.jpg", "caption": "A cat"}\n[1]\n{"\n'
    reading = read_source(str(write(tmp_path / "mine.jsonl", rows)))
    assert found(reading) == {"a.jpg": ("test", ["A dog"]), "b.jpg": ("", ["A cat"])}
    assert [place for place, _ in reading.faults] == ["mine.jsonl line 4", "mine.jsonl line 5"]


def test_a_folder_of_pictures_with_text_files(tmp_path):
    for name in ("train/a.jpg", "val/b.PNG", "c.jpeg", "d.jpg"):
        write(tmp_path / name, "")
    write(tmp_path / "train" / "a.txt", "A dog\n\nDogs run\n")
    write(tmp_path / "val" / "b.txt", "A cat")
    write(tmp_path / "c.txt", " ")
    write(tmp_path / "stray.txt", "A bird")
    reading = read_source(str(tmp_path))
    assert found(reading) == {
        "a.jpg": ("train", ["A dog", "Dogs run"]),
        "b.PNG": ("dev", ["A cat"]),
        "c.jpeg": ("", [""]),
        "d.jpg": ("", []),
    }
    assert reading.faults == [("stray.txt", "has no picture of its name beside it")]


@pytest.mark.parametrize(
    ("name", "data", "place", "reason"),
    [
        ("a.csv", b"image,caption\na.jpg,A dog\nb.jpg,A \xe9cole\n", "a.csv line 3", "is not UTF-8: byte 9 is 0xe9"),
        ("a.csv", b"image,caption\na.jpg,A dog\nb.jpg\n", "a.csv line 3", "expected 2 fields. Received: 1"),
        ("a.csv", b"image,caption\n,A dog\n", "a.csv line 2", "names no picture"),
        ("a.csv", b"image,caption,split\na.jpg,A dog,training\nb.jpg,A,left\n", "a.csv line 3", "split is train, dev"),
        ("a.csv", b"image,caption,split\na.jpg,A,train\na.jpg,B,test\n", "a.csv line 3", "stands in another split"),
        ("a.jsonl", b'{"image": "a", "caption": "A"}\n\0\n', "a.jsonl line 2", "holds a NUL character"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named_and_the_others_are_read(tmp_path, name, data, place, reason):
    (tmp_path / name).write_bytes(data)
    reading = read_source(str(tmp_path / name))
    assert len(reading.records) == (0 if b"\n,A" in data else 1)
    ((where, why),) = reading.faults
    assert where == place
    assert reason in why


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.csv", b"name,words\n1,2\n", "line 1: expected the names of the columns, such as image and caption"),
        ("a.csv", b'image,caption\na.jpg,"A dog\n', "line 2: unexpected end of data"),
        ("a.csv", "image,caption\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("a.txt", b"hello", "a source is one of"),
        ("none.csv", None, "cannot read .*none.csv: No such file"),
    ],
)
def test_a_file_in_no_known_layout_is_refused(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DatasetError, match=message):
        read_source(str(tmp_path / name))


@pytest.mark.parametrize("source", ["nonsense", "flickr8k:a", "coco:a:b:c", "csv:", "karpathy:a:b:c"])
def test_an_unknown_source_is_refused(source):
    with pytest.raises(DatasetError, match="a source is one of flickr8k:IMAGES:CAPTIONS"):
        read_source(source)


def test_token_file_in_another_layout_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"line 1: expected name.jpg#0<TAB>caption"):
        read_source(f"flickr8k:{tmp_path}:{write(tmp_path / 't.txt', 'a.jpg A dog')}")
    with pytest.raises(DatasetError, match="has no list of its train photos"):
        read_source(f"flickr8k:{tmp_path}:{write(tmp_path / 't.txt', TOKENS)}:{tmp_path}")


def records(count, group=lambda i: ""):
    return [Record(pathlib.Path(f"p/{i}.jpg"), ["a"], "", group(i)) for i in range(count)]


def test_a_split_is_by_picture_and_always_the_same(tmp_path):
    one, two = records(100), records(100)[::-1]
    complete_split(one)
    complete_split(two)
    assert {r.image: r.split for r in one} == {r.image: r.split for r in two}
    counts = [sum(r.split == split for r in one) for split in ("train", "dev", "test")]
    assert counts == [80, 10, 10]


def test_three_pictures_fill_three_splits():
    three = records(3)
    complete_split(three)
    assert {r.split for r in three} == {"train", "dev", "test"}


def test_groups_stay_together_and_with_what_is_given():
    grouped = records(60, group=lambda i: f"event {i // 6}")
    grouped[0].split = "test"
    complete_split(grouped)
    by_group = {r.group: {s.split for s in grouped if s.group == r.group} for r in grouped}
    assert all(len(chosen) == 1 for chosen in by_group.values())
    assert by_group["event 0"] == {"test"}
    assert {s for chosen in by_group.values() for s in chosen} == {"train", "dev", "test"}


def test_held_out_pictures_never_train():
    mixed = records(40)
    for record in mixed[20:]:
        record.split = HELD_OUT
    for record in mixed[:20]:
        record.split = "train"
    complete_split(mixed)
    assert {r.split for r in mixed[:20]} == {"train"}
    assert sorted(r.split for r in mixed[20:]) == ["dev"] * 10 + ["test"] * 10


def test_captions_jsonl_may_have_a_byte_order_mark(tmp_path):
    write(tmp_path / "captions.jsonl", '{"image": "a.jpg", "split": "dev", "captions": ["a"]}\n', "utf-8-sig")
    assert read_dataset(tmp_path)[0].split == "dev"
