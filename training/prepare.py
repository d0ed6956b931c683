"""python -m training.prepare SOURCE --out DATA: read a data set, say what is wrong, write what training reads."""

from __future__ import annotations

import pathlib
from textwrap import shorten
from typing import Annotated

import rich
import rich.markup
import rich.table
import typer

from captioner.errors import DatasetError
from training import commands, shapes
from training.data.datasets import SPLITS, read_dataset, write_dataset
from training.data.datasets.reading import Reading, Record
from training.data.datasets.sources import describe_layouts, read_source
from training.data.datasets.splitting import complete_split
from training.doctor.examine import KINDS, Examination, examine
from training.doctor.report import write_report
from training.doctor.statistics import Statistics, advice, describe

NAMED = 3
REPORT = "report.html"


def prepare(
    source: str,
    out: pathlib.Path,
    dev: float = 0.1,
    test: float = 0.1,
    max_words: int = 24,
    strict: bool = False,
    drop_near_duplicates: bool = False,
    allow_outside: bool = False,
    uncaptioned: str = "",
) -> Examination:
    """Write `out`/captions.jsonl and `out`/report.html from a source.

    Args:
        source: see `training.data.datasets.sources`; "shapes" draws pictures of its own.
        out: folder of the data set.
        dev, test: shares of the pictures, where the source has no split of its own.
        max_words: longer captions are cut in training.
        strict: refuse a source with any finding, once the report is written.
        drop_near_duplicates: leave out pictures of train or dev nearly the same as one of a later split.
        allow_outside: take pictures outside the source's folder of pictures, which a file of captions may name.
        uncaptioned: of "shapes", a kind that no caption of train names, see `training.shapes.write_shapes`.

    Returns:
        What was found.

    Raises:
        DatasetError: an unknown source, one that cannot be read, one without a usable picture, or a finding where
            `strict` allows none.
    """
    out = pathlib.Path(out)
    if source == "shapes":
        shapes.write_shapes(out, uncaptioned=uncaptioned)
        return _report(source, out, _of_shapes(out), max_words, drop_near_duplicates)
    if uncaptioned:
        raise DatasetError(f"--uncaptioned is for shapes, whose captions are drawn. Received: {source}")
    if not (dev >= 0 and test >= 0 and dev + test < 1):
        raise DatasetError(f"shares of dev and test are 0 or more and leave something to train on: {dev}, {test}")
    reading = read_source(source, allow_outside)
    complete_split(reading.records, dev, test)
    examination = _report(source, out, reading, max_words, drop_near_duplicates)
    report = out / REPORT
    if strict and examination.findings:
        raise DatasetError(f"{source} has {len(examination.findings)} findings and --strict allows none; see {report}")
    if not examination.examples:
        raise DatasetError(f"{source} has no picture that can be used; see {report}")
    write_dataset(examination.examples, out)
    return examination


def _report(source: str, out: pathlib.Path, reading: Reading, max_words: int, drop_near: bool) -> Examination:
    """Examine what was read, write the report and print the short of it."""
    examination = examine(reading, max_words, drop_near)
    statistics = describe(examination.examples)
    report = write_report(out / REPORT, source, examination, statistics)
    _show(examination, statistics)
    rich.print(f"report: {report}")
    return examination


def _of_shapes(out: pathlib.Path) -> Reading:
    """The generated pictures, read as those of any other source."""
    captioned = (example for example in read_dataset(out) if example.captions)
    records = [Record(example.image, list(example.captions), example.split) for example in captioned]
    return Reading(records, images=out)


def _show(examination: Examination, statistics: Statistics) -> None:
    table = rich.table.Table("found", "number", "then", "the first of them", box=None, pad_edge=False)
    for kind, findings in examination.by_kind().items():
        names = [rich.markup.escape(shorten(f"{f.name}: {f.detail}", 76, placeholder=" …")) for f in findings[:NAMED]]
        table.add_row(KINDS[kind][0], str(len(findings)), examination.consequence(kind), "\n".join(names))
    rich.print(table if examination.findings else "nothing is wrong with this data set")
    threshold, kept, unknown, _ = statistics.vocabulary[4]
    if unknown is not None:
        rich.print(
            f"{len(statistics.words)} words in the training captions; {kept} of them occur {threshold} times or more, "
            f"which leaves {100 * unknown:.1f} % of the text unknown"
        )
    for line in advice(statistics):
        rich.print(f"[yellow]note:[/yellow] {line}")


def main(
    source: Annotated[str, typer.Argument(help=f"One of {describe_layouts()}.")],
    out: Annotated[pathlib.Path, typer.Option(help="Folder of the data set.")],
    dev: Annotated[float, typer.Option(help="Share of dev pictures, where the source has no split.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of test pictures, likewise.")] = 0.1,
    max_words: Annotated[int, typer.Option(help="Captions longer than this are cut in training.")] = 24,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a data set with any finding.")] = False,
    drop_near_duplicates: Annotated[
        bool,
        typer.Option("--drop-near-duplicates", help="Leave out pictures nearly the same as one of a later split."),
    ] = False,
    allow_outside: Annotated[
        bool, typer.Option("--allow-outside", help="Take pictures outside the folder of pictures, too.")
    ] = False,
    uncaptioned: Annotated[
        str, typer.Option(help="Of shapes: a kind, such as star, that no caption to learn from names.")
    ] = "",
) -> None:
    """Make a data set ready for training and say what is wrong with it."""
    prepare(source, out, dev, test, max_words, strict, drop_near_duplicates, allow_outside, uncaptioned)
    examples = read_dataset(out)
    pictures = {split: sum(example.split == split for example in examples) for split in SPLITS}
    captions = sum(len(example.captions) for example in examples)
    rich.print(f"{out}: " + ", ".join(f"{pictures[s]} {s}" for s in SPLITS) + f" pictures, {captions} captions")


if __name__ == "__main__":
    commands.run(main)
