"""python -m training.calibrate MODEL --data DATA: how far a model's words can be trusted, written into its folder.

The training pictures teach what a picture by itself says of words (`captioner.evidence`). Then the dev pictures are
captioned, every content word is held against what people wrote, and the confidence of `captioner.confidence` is fitted.
The model's weights stay as they are.
"""

from __future__ import annotations

import pathlib
import shutil
from typing import Annotated

import numpy as np
import rich
import typer

from captioner.captioner import Captioner
from captioner.config import ConfidenceConfig
from captioner.evidence import Evidence
from captioner.folders.finding import find_model
from captioner.folders.folder import read_json, verify, write_json, write_manifest, written_whole
from captioner.vocabulary import Vocabulary
from training import commands
from training.data.datasets import of_split, read_dataset
from training.evaluation.calibration import Fit, Judged, calibration_error, fit, judge, stem
from training.evaluation.captioning import caption_examples
from training.evaluation.evidence import learn_map
from training.evaluation.pooling import pooled_vectors


def calibrate(
    model: str,
    data: pathlib.Path,
    split: str = "dev",
    cache: pathlib.Path | None = None,
    ranking: float = 0.0,
    **options,
) -> ConfidenceConfig:
    """Fit the confidence of a model folder and write it into its config.json and evidence.safetensors.

    Args:
        model: model folder or name; changed in place, whole or not at all.
        data: folder with captions.jsonl.
        split: whose captions are judged; never that which figures are reported on.
        cache: folder that keeps pooled annotation vectors, so that a second calibration encodes nothing again; None
            means `data`/encoded.
        ranking: how much what a picture says of words counts from now on where its captions are ranked.
        **options: fields of `DecodingOptions`.

    Raises:
        DatasetError: the data cannot be read, or one of its pictures.
    """
    folder, dataset = find_model(model).resolve(), read_dataset(data)
    captioner, cache = Captioner.from_pretrained(folder), cache or data / "encoded"
    examples = of_split(dataset, split)
    train = [example for example in of_split(dataset, "train") if example.captions]
    vectors, references = pooled_vectors(captioner, train, cache), [example.captions for example in train]
    evidence = Evidence(*learn_map(vectors, references, captioner.vocabulary), np.zeros(len(captioner.vocabulary)))
    known = [evidence.read_pooled(vector) for vector in pooled_vectors(captioner, examples, cache)]
    ranks = Captioner(captioner.runtime, captioner.name, folder, evidence)
    captions = caption_examples(ranks, examples, {**options, "evidence": ranking})
    judged = judge(captions, [example.captions for example in examples], captioner.vocabulary, known)
    found = fit(judged)
    evidence.record = of_vocabulary(found, captioner.vocabulary)
    confidence = found.model.model_copy(update={"ranking": ranking})
    write_calibration(folder, confidence, evidence)
    rich.print(_summary(found, judged))
    return confidence


def of_vocabulary(found: Fit, vocabulary: Vocabulary) -> np.ndarray:
    """The record of each word of a vocabulary, float32 (vocabulary,)."""
    return np.array([found.records.get(stem(word), found.unknown) for word in vocabulary.words], np.float32)


def write_calibration(folder: pathlib.Path, model: ConfidenceConfig, evidence: Evidence) -> None:
    """Put confidence and evidence into a model folder of any kind.

    Raises:
        ModelError: it is damaged or cannot be written.
    """
    kind = verify(folder)
    with written_whole(folder) as partial:
        shutil.copytree(folder, partial, dirs_exist_ok=True, symlinks=True)
        config = read_json(folder / "config.json")
        write_json(partial / "config.json", {**config, "confidence": model.model_dump(mode="json")})
        evidence.save(partial)
        write_manifest(partial, kind)


def _summary(found: Fit, judged: Judged) -> str:
    """The short of it, by chances that were given to captions the fit did not see."""
    count = np.maximum(np.bincount(judged.captions), 1)
    there = np.bincount(judged.captions) > 0
    sure = (np.bincount(judged.captions, found.chances) / count >= found.model.threshold)[there]
    good = (np.bincount(judged.captions, judged.right) / count > 0.5)[there]
    right = f", of which {good[sure].mean():.3f} are mostly right" if sure.any() else ""
    return (
        f"{len(judged.right)} content words of {there.sum()} captions: {judged.right.mean():.3f} right, calibration "
        f"error {calibration_error(found.chances, judged.right):.3f}; sure from {found.model.threshold:.3f}, "
        f"{sure.mean():.3f} of the captions{right}"
    )


def main(
    model: Annotated[str, typer.Argument(help="Model folder or name; it is changed.")],
    data: Annotated[pathlib.Path, typer.Option(help="Folder with captions.jsonl.")],
    split: Annotated[str, typer.Option(help="Split whose captions are judged.")] = "dev",
    cache: Annotated[
        pathlib.Path | None, typer.Option(help="Folder that keeps what pictures were encoded to; DATA/encoded.")
    ] = None,
    ranking: Annotated[
        float, typer.Option(help="How much what a photo says of words counts where its captions are ranked; 1 is much.")
    ] = 0.0,
    beam_width: Annotated[int, typer.Option(help="Hypotheses kept open, 1 to 20.")] = 5,
) -> None:
    """Measure how far a model's words can be trusted, and write that into its folder."""
    calibrate(model, data, split, cache, ranking, beam_width=beam_width)


if __name__ == "__main__":
    commands.run(main)
