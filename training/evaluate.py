"""python -m training.evaluate MODEL --data DATA --split test --out DIR: predictions first, then their scores."""

from __future__ import annotations

import json
import pathlib
from typing import Annotated

import rich
import rich.progress
import rich.table
import typer

from captioner.captioner import Captioner
from captioner.errors import CaptionerError, DatasetError
from captioner.quiet import load_keras

load_keras()

from training import commands
from training.datasets import of_split, read_boxes, read_dataset
from training.features import load_squares
from training.grounding import average, evaluate_boxes, measure_written, shared_by_neighbours
from training.metrics import evaluate_captions


def evaluate(
    model: str,
    data: pathlib.Path,
    split: str,
    out: pathlib.Path,
    boxes: pathlib.Path | None = None,
    **options,
) -> dict:
    """Caption a split and score the captions.

    Writes `out`/predictions.json, a list of {"image": file name, "caption": text}, before anything is scored, then
    `out`/metrics.json.

    Args:
        model: model folder or name.
        data: folder with captions.jsonl.
        split: "train", "dev" or "test".
        out: folder for the two files.
        boxes: boxes of words of this split; the masks are then held against them.
        **options: fields of `DecodingOptions`.

    Raises:
        DatasetError: the data cannot be read, or one of its pictures.
    """
    examples = of_split(read_dataset(data), split)
    captioner = Captioner.from_pretrained(model)
    captions = []
    answers = captioner.captions([example.image for example in examples], batch_size=32, **options)
    for answer in rich.progress.track(answers, "captions", total=len(examples)):
        if isinstance(answer, CaptionerError):
            raise DatasetError(str(answer))
        captions.append(answer)
    out.mkdir(parents=True, exist_ok=True)
    predictions = [
        {"image": example.image.name, "caption": caption.text}
        for example, caption in zip(examples, captions, strict=True)
    ]
    _write(out / "predictions.json", predictions)
    metrics = {
        "model": str(model),
        "split": split,
        "pictures": len(examples),
        "decoding": options,
        "shared_by_neighbours": shared_by_neighbours(captions),
        **evaluate_captions([row["caption"] for row in predictions], [example.captions for example in examples]),
    }
    if boxes:
        metrics["boxes"] = _masks_against_boxes(captioner, examples, captions, boxes)
    _write(out / "metrics.json", metrics)
    return metrics


def _masks_against_boxes(captioner: Captioner, examples, captions, path: pathlib.Path) -> dict:
    config, boxes = captioner.config.encoder, read_boxes(path)
    paths = [example.image for example in examples]

    def annotations(start, stop):
        return captioner.annotations(load_squares(paths[start:stop], config))

    figures = evaluate_boxes(captioner.model, captioner.vocabulary, examples, annotations, boxes)
    written = measure_written(captions, [boxes.get(path.name, []) for path in paths])
    return {**figures, **({"written": average(written)} if written else {})}


def _write(path: pathlib.Path, value) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _show(metrics: dict) -> None:
    table = rich.table.Table("score", "value")
    for name, value in metrics.items():
        if name != "boxes":
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    rich.print(table)
    if "boxes" in metrics:
        names = list(metrics["boxes"]["all"])
        table = rich.table.Table("masks against boxes", *names)
        for kind, row in metrics["boxes"].items():
            table.add_row(kind, *(f"{row[n]:.3f}" if isinstance(row[n], float) else str(row[n]) for n in names))
        rich.print(table)


def main(
    model: Annotated[str, typer.Argument(help="Model folder or name.")],
    data: Annotated[pathlib.Path, typer.Option(help="Folder with captions.jsonl.")],
    out: Annotated[pathlib.Path, typer.Option(help="Folder for predictions.json and metrics.json.")],
    split: Annotated[str, typer.Option(help="train, dev or test.")] = "test",
    beam_width: Annotated[int, typer.Option(help="Hypotheses kept open, 1 to 20.")] = 5,
    length_penalty: Annotated[float | None, typer.Option(help="Alpha of Wu et al. 2016.")] = None,
    boxes: Annotated[pathlib.Path | None, typer.Option(help="Boxes of words, to judge the masks.")] = None,
) -> None:
    """Score a model on a split of a data set."""
    options = {"beam_width": beam_width, **({} if length_penalty is None else {"length_penalty": length_penalty})}
    _show(evaluate(model, data, split, out, boxes, **options))


if __name__ == "__main__":
    commands.run(main)
