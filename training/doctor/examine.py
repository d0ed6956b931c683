"""A reading of a data set goes in; what can be trained on comes out, with everything that is wrong named."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterator

from captioner.errors import one_line
from captioner.vocabulary import split_words
from training.data.datasets.examples import SPLITS, Example
from training.data.datasets.reading import Reading, Record
from training.doctor.lost import Lost
from training.doctor.pictures import Look, alike, look_at_all, near_duplicates
from training.doctor.text import mend_twice_encoded

# Each class of problem and what is done about it.
KINDS = {
    "entry": ("entries that cannot be read", "left out"),
    "outside": ("pictures outside the folder of pictures; --allow-outside takes them", "left out"),
    "missing": ("pictures that are not there", "left out"),
    "unreadable": ("pictures that cannot be read", "left out"),
    "bare": ("pictures without a caption", "left out"),
    "same": ("pictures whose file is that of another, byte by byte", "left out"),
    "near": ("pictures nearly the same as one of a later split", "kept"),
    "alike": ("pictures nearly the same as another of their split", "kept"),
    "empty": ("captions without a word", "left out"),
    "letterless": ("captions without a letter", "left out"),
    "twice": ("captions that were encoded twice", "mended"),
    "damaged": ("captions with characters that were lost in a conversion", "left out"),
    "long": ("captions longer than training reads", "cut"),
    "repeated": ("captions that their picture has twice", "kept"),
}
LOST = frozenset(map(chr, [*range(9), *range(14, 32), *range(0x7F, 0xA0), 0xFFFD])) - {"\x85"}


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: a key of `KINDS`.
        name: the picture, or the place in a file.
        detail: what is wrong with it.

    Both come from strangers' files and are kept to one line that any terminal and page can show.
    """

    kind: str
    name: str
    detail: str

    def __post_init__(self):
        object.__setattr__(self, "name", one_line(self.name))
        object.__setattr__(self, "detail", one_line(self.detail))


@dataclasses.dataclass
class Examination:
    """What was found.

    Attributes:
        examples: what is left to train and to judge on.
        findings: everything that is wrong, in the order of `KINDS`.
        sizes: (width, height) of the pictures of `examples`.
        drop_near: whether pictures nearly the same as one of a later split are left out.
    """

    examples: list[Example]
    findings: list[Finding]
    sizes: list[tuple[int, int]]
    drop_near: bool

    def by_kind(self) -> dict[str, list[Finding]]:
        """The findings of each kind of which there are some."""
        kinds = collections.defaultdict(list)
        for finding in self.findings:
            kinds[finding.kind].append(finding)
        return {kind: kinds[kind] for kind in KINDS if kind in kinds}

    def consequence(self, kind: str) -> str:
        """ "left out", "kept", "mended" or "cut"."""
        return "left out" if kind == "near" and self.drop_near else KINDS[kind][1]


def examine(reading: Reading, max_words: int, drop_near: bool = False) -> Examination:
    """Look at every entry, caption and picture of a data set.

    Args:
        reading: whose records all have a split.
        max_words: captions longer than this are cut in training.
        drop_near: leave out pictures of train (or dev) that are nearly those of dev or test.
    """
    findings = [Finding("entry", place, reason) for place, reason in reading.faults]
    findings += [Finding("outside", name, f"lies in {folder}") for name, folder in reading.outside]
    captioned = []
    for record in reading.records:
        texts = list(_usable_captions(record, max_words, findings))
        if texts:
            captioned.append(dataclasses.replace(record, captions=texts))
        else:
            findings.append(Finding("bare", record.image.name, f"of {record.split}"))
    looks = look_at_all([record.image for record in captioned])
    left_out = set(_unreadable(captioned, looks, findings, Lost(reading.images)))
    left_out |= set(_same_bytes(captioned, looks, left_out, findings))
    near = set(_near(captioned, looks, left_out, findings))
    left_out |= near if drop_near else set()
    _note_alike(captioned, looks, left_out, findings)
    kept = [i for i in range(len(captioned)) if i not in left_out]
    order = list(KINDS)
    return Examination(
        [Example(str(captioned[i].image), captioned[i].split, tuple(captioned[i].captions)) for i in kept],
        sorted(findings, key=lambda finding: order.index(finding.kind)),
        [looks[i].size for i in kept],
        drop_near,
    )


def _usable_captions(record: Record, max_words: int, findings: list[Finding]) -> Iterator[str]:
    seen = set()
    for raw in record.captions:
        text = mend_twice_encoded(raw)
        words = tuple(split_words(text))
        shown = text if len(text) <= 80 else text[:79] + "…"
        if text != raw:
            findings.append(Finding("twice", record.image.name, f"{raw[:40]} is now {text[:40]}"))
        if LOST & set(text):
            findings.append(Finding("damaged", record.image.name, repr(shown)))
            continue
        if not words:
            findings.append(Finding("empty", record.image.name, repr(shown)))
            continue
        if not any(letter.isalpha() for letter in text):
            findings.append(Finding("letterless", record.image.name, repr(shown)))
            continue
        if len(words) > max_words:
            findings.append(Finding("long", record.image.name, f"{len(words)} words: {shown}"))
        if words in seen:
            findings.append(Finding("repeated", record.image.name, shown))
        seen.add(words)
        yield text


def _unreadable(records: list[Record], looks: list[Look], findings: list[Finding], lost: Lost) -> Iterator[int]:
    for i, (record, look) in enumerate(zip(records, looks, strict=True)):
        if look.missing:
            detail = lost.hint(record.image) or f"not in {record.image.parent}"
            findings.append(Finding("missing", record.image.name, detail))
            yield i
        elif look.problem:
            findings.append(Finding("unreadable", record.image.name, look.problem))
            yield i


def _same_bytes(records, looks, left_out: set[int], findings: list[Finding]) -> Iterator[int]:
    """Of files with the same bytes the one of the latest split stays, so that nobody is judged on what it learnt."""
    first: dict[bytes, int] = {}
    for i in sorted(range(len(records)), key=lambda i: -SPLITS.index(records[i].split)):
        if i in left_out:
            continue
        other = first.setdefault(looks[i].digest, i)
        if other != i:
            detail = f"of {records[i].split}, is {records[other].image.name} of {records[other].split}"
            findings.append(Finding("same", records[i].image.name, detail))
            yield i


def _near(records, looks, left_out: set[int], findings: list[Finding]) -> Iterator[int]:
    places = [i for i in range(len(records)) if i not in left_out]
    pairs = near_duplicates([looks[i] for i in places], [records[i].split for i in places])
    for one, two in sorted(pairs):
        i, j = places[one], places[two]
        detail = f"of {records[i].split}, shows nearly what {records[j].image.name} of {records[j].split} does"
        findings.append(Finding("near", records[i].image.name, detail))
        yield i


def _note_alike(records, looks, left_out: set[int], findings: list[Finding]) -> None:
    """Each picture that is nearly one before it in its split, such as the next of a burst."""
    places = [i for i in range(len(records)) if i not in left_out]
    noted = set()
    for one, two in sorted(alike([looks[i] for i in places], [records[i].split for i in places])):
        i, j = places[one], places[two]
        if j not in noted:
            noted.add(j)
            detail = f"shows nearly what {records[i].image.name} does, both of {records[i].split}"
            findings.append(Finding("alike", records[j].image.name, detail))
