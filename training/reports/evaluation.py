"""Evaluation as one HTML file: figures beside their baselines, charts, and the best and worst captions with masks."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from captioner.captioner import Captioner
from captioner.drawing import contact_sheet
from training.data.datasets import Example
from training.evaluation.scores import each_score
from training.reports import charts
from training.reports.page import picture_data, write_page

COLUMNS = {
    "bleu_1": "BLEU-1",
    "bleu_2": "BLEU-2",
    "bleu_3": "BLEU-3",
    "bleu_4": "BLEU-4",
    "meteor_nltk": "METEOR (nltk)",
    "rouge_l": "ROUGE-L",
    "cider_d": "CIDEr-D",
    "distinct": "different",
    "mean_length": "words",
    "words_used": "words used",
}
NAMES = {
    "human": "references, each against the others",
    "most_frequent": "most frequent training caption",
    "nearest": "caption of the nearest training picture",
}
SHOWN = 4


def write_report(path: pathlib.Path, metrics: dict, samples: Sequence[tuple[str, list[dict]]]) -> pathlib.Path:
    """Write what `training.evaluate` measured.

    Args:
        path: the HTML file.
        metrics: as in metrics.json, with "scores", the CIDEr-D of each picture.
        samples: headings with what `best_and_worst` gave.
    """
    rows = [("this model", metrics), *((NAMES[name], row) for name, row in metrics["baselines"].items())]
    lengths = metrics["by_length"]
    drawn = [
        (
            "BLEU-4 by length of the caption",
            charts.lines(
                {"": ([row["words"] for row in lengths], [row["bleu_4"] for row in lengths])}, "words", "BLEU-4"
            ),
        ),
        ("CIDEr-D of each caption", charts.histogram(metrics["scores"], "CIDEr-D", "pictures")),
    ]
    notes = [metrics["protocol"], *([metrics["meteor_note"]] if "meteor_note" in metrics else [])]
    notes.append("A reference is held against the others, one fewer than a model's caption is.")
    return write_page(
        path,
        "evaluation.html",
        title=f"Evaluation of {pathlib.Path(metrics['model']).name}",
        subtitle=f"{metrics['pictures']:,} pictures of the {metrics['split']} split",
        cards=[(COLUMNS[name], form(name, metrics[name])) for name in ("bleu_4", "cider_d", "rouge_l")]
        + [("captions not seen in training", f"{100 * metrics['unseen']:.0f} %")],
        columns=list(COLUMNS.values()),
        rows=[(title, [form(name, row.get(name)) for name in COLUMNS]) for title, row in rows],
        charts=drawn,
        groups=samples,
        notes=notes,
    )


def best_and_worst(
    captioner: Captioner, examples: Sequence[Example], predictions: Sequence[str], **options
) -> list[tuple[str, list[dict]]]:
    """Sheets of masks of the captions with the highest and the lowest CIDEr-D.

    Args:
        captioner: captions the pictures once more, for the masks.
        examples: pictures with their references.
        predictions: their captions.
        **options: of the search that found them.
    """
    scores = each_score(predictions, [example.captions for example in examples])
    order = np.random.default_rng(0).permutation(len(scores))  # among equals none is preferred
    order = order[np.argsort(scores[order], kind="stable")]
    count = min(SHOWN, len(order) // 2)
    chosen = {"Best captions": order[::-1][:count], "Worst captions": order[:count]}
    return [
        (heading, [_sample(captioner, examples[i], float(scores[i]), options) for i in places])
        for heading, places in chosen.items()
    ]


def _sample(captioner: Captioner, example: Example, score: float, options: dict) -> dict:
    caption = captioner.caption(example.image, **options)
    return {
        "data": picture_data(contact_sheet(caption), 1100),
        "caption": caption.text,
        "references": example.captions[:5],
        "name": example.image.name,
        "score": score,
    }


def form(name: str, value: float | None) -> str:
    """A score as it is printed; – where there is none."""
    if value is None:
        return "–"
    if name in ("distinct", "words_used"):
        return f"{value:,.0f}"
    return f"{value:.1f}" if name == "mean_length" else f"{value:.3f}"
