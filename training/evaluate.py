"""python -m training.evaluate MODEL --data DATA --split test --out DIR: predictions first, then their scores."""

from __future__ import annotations

import json
import pathlib
from typing import Annotated

import rich
import rich.table
import typer

from captioner.captioner import Captioner
from captioner.errors import ConfigError, DatasetError
from captioner.pictures.reading import open_image
from captioner.quiet import load_keras

load_keras()

from training import commands
from training.data.datasets import Example, of_split, read_boxes, read_dataset
from training.data.features import load_squares
from training.evaluation.baselines import nearest_captions
from training.evaluation.calibration import trust
from training.evaluation.captioning import caption_all, caption_examples
from training.evaluation.coco_results import read_predictions, write_coco
from training.evaluation.grounding import average, evaluate_boxes, measure_written, shared_by_neighbours
from training.evaluation.objects import judge_objects
from training.evaluation.scores import compare, each_score, judge
from training.evaluation.wording import resaved
from training.reports.evaluation import COLUMNS, best_and_worst, form, write_report

SHORT = {"human": "references", "most_frequent": "most frequent caption", "nearest": "nearest picture's"}


def evaluate(
    model: str,
    data: pathlib.Path,
    split: str,
    out: pathlib.Path,
    boxes: pathlib.Path | None = None,
    nearest: bool = False,
    resave: bool = False,
    **options,
) -> dict:
    """Caption a split and score the captions.

    Writes `out`/predictions.json, a list of {"image": file name, "caption": text}, and the same in COCO's formats,
    before anything is scored, then `out`/metrics.json and `out`/report.html.

    Args:
        model: model folder or name.
        data: folder with captions.jsonl.
        split: "train", "dev" or "test".
        out: folder for the files.
        boxes: boxes of words of this split; the masks are then held against them.
        nearest: also score the captions of the nearest training pictures, which encodes all of these.
        resave: also count how many captions stay the same when a picture is saved once more.
        **options: fields of `DecodingOptions`.

    Raises:
        DatasetError: the data cannot be read, or one of its pictures.
    """
    dataset = read_dataset(data)
    examples, train = of_split(dataset, split), [example for example in dataset if example.split == "train"]
    if nearest and not train:
        raise DatasetError(f"--nearest compares with training pictures, and {data} holds none; leave it out")
    captioner = Captioner.from_pretrained(model, "keras")
    captions = caption_examples(captioner, examples, options)
    texts = [caption.text for caption in captions]
    _write_predictions(out, examples, texts)
    known = len(captioner.vocabulary) - 4
    metrics = {
        "model": str(model),
        "split": split,
        "pictures": len(examples),
        "decoding": options,
        "shared_by_neighbours": shared_by_neighbours(captions),
        **(scores := judge(texts, examples, train)),
        **trust(captions, [example.captions for example in examples]),
        "vocabulary_used": scores["words_used"] / known,
        "baselines": compare(
            examples, train, nearest_captions(captioner, examples, train, data / "encoded") if nearest else None
        ),
    }
    if resave:
        metrics["same_resaved"] = _same_resaved(captioner, examples, options)
    if boxes:
        metrics["boxes"] = _masks_against_boxes(captioner, examples, captions, boxes)
        metrics["objects"] = _objects(examples, captions, boxes)
    _write(out / "metrics.json", metrics)
    each = each_score(texts, [example.captions for example in examples])
    write_report(
        out / "report.html", {**metrics, "scores": each}, best_and_worst(captioner, examples, texts, **options)
    )
    return metrics


def score_predictions(predictions: pathlib.Path, data: pathlib.Path, split: str, out: pathlib.Path) -> dict:
    """Score captions that lie in a file, of whatever model; writes `out`/metrics.json and `out`/report.html.

    Args:
        predictions: COCO's results format, or that of predictions.json.
        data, split, out: as for `evaluate`.

    Raises:
        DatasetError: a file cannot be read, or the captions are not of these pictures.
    """
    dataset = read_dataset(data)
    examples, train = of_split(dataset, split), [example for example in dataset if example.split == "train"]
    texts = read_predictions(predictions, examples)
    out.mkdir(parents=True, exist_ok=True)
    metrics = {
        "model": str(predictions),
        "split": split,
        "pictures": len(examples),
        **judge(texts, examples, train),
        "baselines": compare(examples, train, None),
    }
    _write(out / "metrics.json", metrics)
    each = each_score(texts, [example.captions for example in examples])
    write_report(out / "report.html", {**metrics, "scores": each}, [])
    return metrics


def _write_predictions(out: pathlib.Path, examples: list[Example], texts: list[str]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    rows = [{"image": e.image.name, "caption": text} for e, text in zip(examples, texts, strict=True)]
    _write(out / "predictions.json", rows)
    write_coco(out, examples, texts)


def _masks_against_boxes(captioner: Captioner, examples, captions, path: pathlib.Path) -> dict:
    config, boxes = captioner.config.encoder, read_boxes(path)
    paths = [example.image for example in examples]

    def annotations(start, stop):
        return captioner.annotations(load_squares(paths[start:stop], config))

    figures = evaluate_boxes(captioner.model, captioner.vocabulary, examples, annotations, boxes)
    written = measure_written(captions, [boxes.get(path.name, []) for path in paths])
    return {**figures, **({"written": average(written)} if written else {})}


def _objects(examples, captions, path: pathlib.Path) -> dict[str, float]:
    boxes = read_boxes(path)
    return judge_objects(captions, [boxes.get(example.image.name, []) for example in examples])


def _same_resaved(captioner: Captioner, examples: list[Example], options: dict) -> float:
    """Share of the captions that stay the same when a picture of 224 px is saved once more as JPEG."""
    pairs = [resaved(open_image(example.image)) for example in examples]
    before, after = (caption_all(captioner, [pair[i] for pair in pairs], options) for i in (0, 1))
    return sum(a.text == b.text for a, b in zip(before, after, strict=True)) / len(pairs)


def _write(path: pathlib.Path, value) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _show(metrics: dict) -> None:
    table = rich.table.Table("score", "value")
    for name, value in metrics.items():
        if name not in ("boxes", "objects", "baselines", "by_length", "reliability", *COLUMNS):
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    for name, value in metrics.get("objects", {}).items():
        table.add_row(name, f"{value:.4f}")
    rich.print(table)
    rows = {"this model": metrics, **{SHORT[name]: row for name, row in metrics["baselines"].items()}}
    table = rich.table.Table("score", *rows)
    for name, title in COLUMNS.items():
        if metrics.get(name) is not None:
            table.add_row(title, *(form(name, row.get(name)) for row in rows.values()))
    rich.print(table)
    if "boxes" in metrics:
        names = list(metrics["boxes"]["all"])
        table = rich.table.Table("masks against boxes", *names)
        for kind, row in metrics["boxes"].items():
            table.add_row(kind, *(f"{row[n]:.3f}" if isinstance(row[n], float) else str(row[n]) for n in names))
        rich.print(table)


def main(
    data: Annotated[pathlib.Path, typer.Option(help="Folder with captions.jsonl.")],
    out: Annotated[pathlib.Path, typer.Option(help="Folder for predictions, metrics.json and report.html.")],
    model: Annotated[str | None, typer.Argument(help="Model folder or name.")] = None,
    predictions: Annotated[
        pathlib.Path | None, typer.Option(help="Score the captions of this file instead, such as COCO results.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    beam_width: Annotated[int, typer.Option(help="Hypotheses kept open, 1 to 20.")] = 5,
    length_penalty: Annotated[float | None, typer.Option(help="Alpha of Wu et al. 2016.")] = None,
    boxes: Annotated[pathlib.Path | None, typer.Option(help="Boxes of words, to judge the masks.")] = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Also score the nearest training pictures' captions (encodes them all).")
    ] = False,
    resave: Annotated[
        bool, typer.Option("--resave", help="Also count captions that stay when a picture is saved once more.")
    ] = False,
) -> None:
    """Score a model on a split of a data set."""
    if (model is None) == (predictions is None):
        raise ConfigError("name a model, or a file of captions with --predictions, and not both")
    if predictions is not None:
        metrics = score_predictions(predictions, data, split, out)
    else:
        options = {"beam_width": beam_width, **({} if length_penalty is None else {"length_penalty": length_penalty})}
        metrics = evaluate(model, data, split, out, boxes, nearest, resave, **options)
    _show(metrics)
    rich.print(f"report: {out / 'report.html'}")


if __name__ == "__main__":
    commands.run(main)
