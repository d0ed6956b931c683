"""The end of a run as one HTML file: its curves, and the best and worst captions with their masks."""

from __future__ import annotations

import csv
import pathlib

from captioner.captioner import Captioner
from training.engine.run import Run
from training.evaluation.coco_results import read_predictions
from training.reports import charts
from training.reports.evaluation import best_and_worst
from training.reports.page import write_page


def write_report(run: Run) -> pathlib.Path:
    """Write WORKDIR/report.html from the tables of the stages and the best model's captions of the dev pictures."""
    histories = [_read_table(run.workdir / f"stage-{number}.csv") for number in range(len(run.config.stages))]
    captioner = Captioner.from_pretrained(run.workdir / "best")
    predictions = read_predictions(run.workdir / "dev_predictions.json", run.dev)
    dev = captioner.metrics["dev"]
    hours = sum(row["seconds"] for history in histories for row in history) / 3600
    cards = [
        ("CIDEr-D on dev", f"{dev['cider_d']:.3f}"),
        ("BLEU-4 on dev", f"{dev['bleu_4']:.3f}"),
        ("different captions", f"{dev['distinct']:,}"),
        ("epochs", str(sum(map(len, histories)))),
        ("hours of training steps", f"{hours:.1f}"),
    ]
    beam = run.config.validation_beam_width
    return write_page(
        run.workdir / "report.html",
        "evaluation.html",
        title="Training report",
        subtitle=f"{len(run.train):,} pictures, {len(run.captions):,} captions, {len(run.vocabulary):,} words; "
        f"judged on {len(run.dev):,} dev pictures with beam {beam}",
        cards=cards,
        rows=[],
        columns=[],
        charts=_charts(histories),
        groups=best_and_worst(captioner, run.dev, predictions, beam_width=beam),
        notes=[dev["protocol"]],
    )


def _charts(histories: list[list[dict[str, float]]]) -> list[tuple[str, str]]:
    """One curve a figure over the epochs of all stages; losses with other losses would hide each other."""
    titles = {
        "val_cider_d": "CIDEr-D on dev",
        "val_bleu_4": "BLEU-4 on dev",
        "cross_entropy": "Cross-entropy in training",
        "reward": "Reward of drawn captions in training",
        "outside_boxes": "Attention outside the boxes of words, loss",
        "accuracy": "Words put first in training",
        "captions_per_second": "Captions a second",
    }
    drawn, epochs = [], [row for history in histories for row in history]
    for name, title in titles.items():
        series, start = {}, 0
        for number, history in enumerate(histories):
            points = [(start + place, row[name]) for place, row in enumerate(history, 1) if name in row]
            start += len(history)
            if points:
                series[f"stage {number}" if len(histories) > 1 else ""] = tuple(zip(*points, strict=True))
        if series and epochs:
            drawn.append((title, charts.lines(series, "epoch", "")))
    return drawn


def _read_table(path: pathlib.Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]
