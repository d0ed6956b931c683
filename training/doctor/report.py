"""The doctor's report: one HTML file with what was found, histograms, and pictures with their captions."""

from __future__ import annotations

import pathlib
import random
from collections.abc import Sequence

from captioner.pictures.reading import open_image
from captioner.vocabulary import join_words, split_words
from training.data.augment import mirror_words
from training.data.datasets.examples import SPLITS, Example
from training.doctor.examine import KINDS, Examination
from training.doctor.statistics import Statistics, advice
from training.reports import charts
from training.reports.page import picture_data, write_page

NAMED = 8  # findings of a kind that are named at once; the others fold out
MOST = 500  # and so many of them
SAMPLES = 12
MIRRORED = 4


def write_report(path: pathlib.Path, source: str, examination: Examination, statistics: Statistics) -> pathlib.Path:
    """Write the report.

    Args:
        path: the HTML file.
        source: what was examined, as it was given.
        examination: what was found.
        statistics: of the examples that are left.
    """
    findings = [
        {
            "title": KINDS[kind][0],
            "consequence": examination.consequence(kind),
            "count": len(found),
            "first": found[:NAMED],
            "others": found[NAMED:MOST],
            "unnamed": max(0, len(found) - MOST),
        }
        for kind, found in examination.by_kind().items()
    ]
    sizes = examination.sizes
    return write_page(
        path,
        "doctor.html",
        source=source,
        statistics=statistics,
        advice=advice(statistics),
        splits=SPLITS,
        findings=findings,
        charts=_charts(statistics, sizes) if sizes else [],
        samples=_samples(examination.examples),
        mirrored=_mirrored(examination.examples),
    )


def _charts(statistics: Statistics, sizes: Sequence[tuple[int, int]]) -> list[tuple[str, str]]:
    """Those that there is something to draw for: a split without captions has no words and no unknown ones."""
    thresholds = [threshold for threshold, *_ in statistics.vocabulary]
    shares = {"training captions": [row[2] for row in statistics.vocabulary]}
    shares["dev captions"] = [row[3] for row in statistics.vocabulary]
    unknown = {name: (thresholds, values) for name, values in shares.items() if None not in values}
    drawn = [
        ("Words in a caption", charts.histogram(statistics.lengths, "words", "captions")),
        ("Captions of a picture", charts.histogram(statistics.captions_per_picture, "captions")),
        ("Shorter side of a picture", charts.histogram([min(size) for size in sizes], "pixels")),
    ]
    if not statistics.words:
        return drawn
    common, counts = statistics.words[:11], [count for _, count in statistics.words]
    ranks = range(1, len(counts) + 1)
    return [
        *drawn[:2],
        ("Unknown words, by how often a word must occur", charts.lines(unknown, "least count", "", percent=True)),
        ("Commonest words", charts.bars([word for word, _ in common], [n for _, n in common], "")),
        ("How often each word occurs", charts.lines({"": (ranks, counts)}, "rank", "count", False, logarithmic=True)),
        *drawn[2:],
    ]


def _samples(examples: Sequence[Example]) -> list[dict]:
    chosen = random.Random(0).sample(list(examples), min(SAMPLES, len(examples)))
    return [
        {"data": picture_data(open_image(e.image)), "name": e.image.name, "split": e.split, "captions": e.captions}
        for e in chosen
    ]


def _mirrored(examples: Sequence[Example]) -> dict:
    """What training with `mirror` would see: pictures whose captions change, and how many stay as they are."""
    changed, unsure = [], []
    for example in examples:
        for text in example.captions if example.split == "train" else ():
            words = split_words(text)
            mended = mirror_words(words)
            if mended is None:
                unsure.append(text)
            elif mended != words:
                changed.append((example, words, mended))
    chosen = random.Random(0).sample(changed, min(MIRRORED, len(changed)))
    samples = []
    for example, words, mended in chosen:
        picture = open_image(example.image)
        mirrored = picture.transpose(0)  # FLIP_LEFT_RIGHT
        samples.append(
            {
                "before": (picture_data(picture), join_words(words)),
                "after": (picture_data(mirrored), join_words(mended)),
                "name": example.image.name,
            }
        )
    return {"changed": len(changed), "unsure": len(unsure), "example": unsure[:1], "samples": samples}
