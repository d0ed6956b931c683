"""Flickr8k (Hodosh et al. 2013) and Flickr30k (Young et al. 2014), as published and as Kaggle hands them out."""

from __future__ import annotations

import csv
import pathlib
from collections.abc import Iterator

from captioner.errors import DatasetError
from training.data.datasets.examples import SPLITS
from training.data.datasets.reading import Gathered, Reading, Record, text_lines


def read_flickr(images: pathlib.Path, captions: pathlib.Path, splits: pathlib.Path | None = None) -> Reading:
    """Flickr8k or Flickr30k.

    Args:
        images: folder of the photos.
        captions: one of "name.jpg#0<TAB>caption" a line (Flickr8k.token.txt, results_20130124.token);
            "image,caption" as CSV (Kaggle's captions.txt of Flickr8k); "image_name| comment_number| comment"
            (results.csv of Flickr30k).
        splits: folder of Flickr_8k.trainImages.txt, .devImages.txt and .testImages.txt, or of Flickr30k's
            train.txt, val.txt (or dev.txt) and test.txt; None leaves the split open. Photos outside of the three
            lists are left out, as Flickr8k's own are.

    Raises:
        DatasetError: a file is missing or in none of these layouts.
    """
    reading = Reading()
    gathered = Gathered(reading, images)
    for number, name, text in _captions(captions, reading):
        gathered.add(captions, number, name, [text])
    if splits is not None:
        _apply_split(reading, gathered.records, images, splits)
    return reading


def _captions(path: pathlib.Path, reading: Reading) -> Iterator[tuple[int, str, str]]:
    lines = list(text_lines(path, reading))
    head = lines[0][1].strip() if lines else ""
    if head.replace(" ", "").startswith("image_name|"):
        for number, line in lines[1:]:
            parts = line.split("|", 2)
            if len(parts) == 3 and parts[1].strip().isdigit():
                yield number, parts[0], parts[2].strip()
            else:
                reading.fault(path, number, f"expected name.jpg| number| caption. Received: {line[:80]!r}")
    elif head.lower() == "image,caption":
        for number, line in lines[1:]:
            try:
                row = next(csv.reader([line]))
            except csv.Error:  # a field of more than 131,072 characters
                row = []
            if len(row) > 2 and not line.lstrip().startswith('"') and '"' not in line:
                row = line.split(",", 1)  # Kaggle's file quotes some captions with commas and not others
            if len(row) == 2:
                yield number, row[0], row[1].strip()
            else:
                reading.fault(path, number, f"expected a picture, a comma and a caption. Received: {line[:80]!r}")
    elif "\t" in head and "#" in head.partition("\t")[0]:
        for number, line in lines:
            key, tab, text = line.partition("\t")
            name, mark, place = key.strip().rpartition("#")
            if tab and mark and place.isdigit():
                yield number, name, text.strip()
            else:
                reading.fault(path, number, f"expected name.jpg#0, a tab and a caption. Received: {line[:80]!r}")
    else:
        raise DatasetError(
            f"{path} line 1: expected name.jpg#0<TAB>caption, the columns image,caption or image_name| comment_number| "
            f"comment. Received: {head!r}"
        )


def _apply_split(reading: Reading, records: dict[str, Record], images: pathlib.Path, folder: pathlib.Path) -> None:
    chosen: dict[str, Record] = {}
    for split in SPLITS:
        path = _split_file(folder, split)
        for number, line in text_lines(path, reading):
            name = line.strip()
            if name not in records and f"{name}.jpg" in records:  # Flickr30k's lists leave the suffix out
                name += ".jpg"
            if name in chosen:
                reading.fault(path, number, f"{name} stands in the {chosen[name].split} split already")
                continue
            chosen[name] = records.get(name) or Record(images / name, [])
            chosen[name].split = split
    reading.records = list(chosen.values())


def _split_file(folder: pathlib.Path, split: str) -> pathlib.Path:
    names = [f"Flickr_8k.{split}Images.txt", f"{split}.txt", *(["val.txt"] if split == "dev" else [])]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DatasetError(f"{folder} has no list of its {split} photos; expected {' or '.join(names)}")
