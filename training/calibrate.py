"""python -m training.calibrate MODEL --data DATA: how far a model's words can be trusted, written into its folder.

Captions the dev pictures, holds every content word against what people wrote, and fits the confidence of
`captioner.confidence`. The model's weights stay as they are.
"""

from __future__ import annotations

import pathlib
from typing import Annotated

import numpy as np
import rich
import typer

from captioner.captioner import Captioner
from captioner.confidence import chances
from captioner.config import ConfidenceConfig
from captioner.folders.finding import find_model
from captioner.folders.folder import read_json, write_json, write_manifest
from training import commands
from training.data.datasets import of_split, read_dataset
from training.evaluation.calibration import calibration_error, fit, judge
from training.evaluation.captioning import caption_examples


def calibrate(model: str, data: pathlib.Path, split: str = "dev", **options) -> ConfidenceConfig:
    """Fit the confidence of a model folder and write it into its config.json.

    Args:
        model: model folder or name; changed in place.
        data: folder with captions.jsonl.
        split: whose pictures and references are used; never that which figures are reported on.
        **options: fields of `DecodingOptions`.

    Raises:
        DatasetError: the data cannot be read, or one of its pictures.
    """
    folder = find_model(model)
    captioner = Captioner.from_pretrained(folder)
    examples = of_split(read_dataset(data), split)
    captions = caption_examples(captioner, examples, options)
    judged = judge(captions, [example.captions for example in examples], captioner.vocabulary)
    confidence = fit(judged)
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {**config, "confidence": confidence.model_dump(mode="json")})
    write_manifest(folder)
    found = chances(confidence, judged.features)
    sure = np.bincount(judged.captions, found) / np.maximum(np.bincount(judged.captions), 1) >= confidence.threshold
    rich.print(
        f"{len(found)} content words of {len(captions)} captions: {judged.right.mean():.3f} right, calibration error "
        f"{calibration_error(found, judged.right):.3f}; sure from {confidence.threshold:.3f}, {sure.mean():.3f} of the "
        "captions"
    )
    return confidence


def main(
    model: Annotated[str, typer.Argument(help="Model folder or name; its config.json is changed.")],
    data: Annotated[pathlib.Path, typer.Option(help="Folder with captions.jsonl.")],
    split: Annotated[str, typer.Option(help="Split that is learned from.")] = "dev",
    beam_width: Annotated[int, typer.Option(help="Hypotheses kept open, 1 to 20.")] = 5,
) -> None:
    """Measure how far a model's words can be trusted, and write that into its folder."""
    calibrate(model, data, split, beam_width=beam_width)


if __name__ == "__main__":
    commands.run(main)
