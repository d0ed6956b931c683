"""python -m training.borrow PHOTOS --data DATA …: captions for photos that have none, from a pool of texts.

The photos join the training split of DATA/captions.jsonl with captions that other photos were given; see
`training.data.borrowing`. With --naming these are captions that name just what a detector saw; see
`training.data.naming`. Dev and test pictures are left alone, and so are pictures that have captions.
"""

from __future__ import annotations

import pathlib
from typing import Annotated

import numpy as np
import rich
import typer

from captioner.quiet import load_keras

load_keras()

from captioner.errors import ConfigError, DatasetError
from captioner.folders.keras_folder import load_model
from training import commands
from training.data.borrowing import Ridge, Texts, agreement, best_texts, describe_photos, nearest_texts, yielding
from training.data.datasets import Example, of_split, read_boxes, read_dataset, write_dataset
from training.data.datasets.boxes import write_boxes
from training.data.datasets.reading import PICTURES
from training.data.detections import Detections, Names, Nouns, read_detections
from training.data.features import extract, join_class_maps
from training.data.judging import Judge
from training.data.naming import NamingTexts, best_ranked, boxed, seen_classes
from training.data.texts import read_texts
from training.progress import counted
from training.workdir import written

SAME_SOURCE = 10.0  # how much more a captioned photo counts that lies where the others lie
PENALTY = 3000.0
JUDGED = 25  # texts of a photo
NAMING = 100  # texts of a photo that name what it shows


def borrow_captions(
    photos: pathlib.Path,
    data: pathlib.Path,
    texts: list[str],
    detections: Detections,
    model: str,
    workdir: pathlib.Path,
    count: int = 4,
    judge: str | None = None,
    variety: float = 0.0,
) -> int:
    """Add the photos of a folder to a data set's training pictures, with borrowed captions.

    Args:
        photos: the folder; pictures that the data set has already are left as they are.
        data: the data set, changed in place; its captioned training pictures are what is learned from.
        texts: the pool.
        detections: what a detector saw on the photos and on the training pictures.
        model: a model folder, whose encoder describes photos.
        workdir: where annotation vectors are kept.
        count: captions a photo.
        judge: a model folder that ranks the texts near a photo; without one, those come first that most agree.
        variety: what a text loses of its score for every e-fold of photos that have borrowed it already.

    Returns:
        How many photos were added.

    Raises:
        DatasetError: the folder holds no other photo.
    """
    examples = read_dataset(data)
    new = _without_captions(photos, examples)
    encoder, pool = load_model(model)[0].encoder, Texts(texts)

    def describe(paths):
        appearance = extract(encoder, paths, workdir / "features")
        return describe_photos(appearance, [pathlib.Path(path).name for path in paths], detections)

    taught = [example for example in of_split(examples, "train") if example.captions]
    importance = np.array([SAME_SOURCE if e.image.parent.samefile(photos) else 1.0 for e in taught])
    said = np.stack([pool.mean(example.captions) for example in taught])
    predict = Ridge(describe([example.file for example in taught]), said, importance, PENALTY)
    files = [str(path) for path in new]
    predicted, rank = predict(describe(files)), _ranking(judge, files, workdir, pool, texts)
    added, times = [], np.zeros(len(texts))
    with counted("borrowing", len(new), "photos") as advance:
        for photo, vector in enumerate(predicted):
            places = nearest_texts(vector, pool)
            scores = yielding(rank(photo, places), times[places], variety)
            chosen = best_texts(places, scores, pool, texts, count)
            times[chosen] += 1
            if chosen:
                added.append(Example(files[photo], "train", tuple(texts[place] for place in chosen)))
            advance(1)
    return _join(added, examples, data)


def borrow_by_name(
    photos: pathlib.Path,
    data: pathlib.Path,
    texts: list[str],
    detections: Detections,
    judge: str,
    workdir: pathlib.Path,
    count: int = 4,
    boxes: pathlib.Path | None = None,
) -> int:
    """Add the photos of a folder with captions that name just the classes that a detector saw in them.

    The words for those classes need not be known to the judge, which ranks the texts by all their other words: so a
    model learns the name of a kind that no captioned picture shows.

    Args:
        photos: the folder.
        data: the data set, changed in place.
        texts: the pool.
        detections: what a detector saw on the photos.
        judge: a captioning model's folder.
        workdir: where annotation vectors are kept.
        count: captions a photo.
        boxes: a file of boxes of words, which the detector's boxes of borrowed names join.

    Returns:
        How many photos were added; one whose classes no text names is not.

    Raises:
        DatasetError: the folder holds no photo without captions.
    """
    examples = read_dataset(data)
    new, names = _without_captions(photos, examples), Names(detections.classes)
    naming, files, added = NamingTexts(texts, names), [str(path) for path in new], []
    likelihood, features = _judge(judge, files, workdir, names)
    draw = np.random.default_rng(0)
    with counted("borrowing", len(new), "photos") as advance:
        for photo, path in enumerate(new):
            found = naming(seen_classes(detections, path.name))
            candidates = [found[place] for place in draw.permutation(len(found))[:NAMING]]
            if candidates:
                chosen = best_ranked(candidates, likelihood(features[photo], candidates), count)
                added += [Example(files[photo], "train", tuple(chosen))] if chosen else []
            advance(1)
    if boxes:
        nouns = Nouns(detections, names)
        drawn = {one.image.name: [boxed(one.image.name, text, nouns) for text in one.captions] for one in added}
        with written(boxes) as partial:
            write_boxes(read_boxes(boxes) | drawn, partial)
    return _join(added, examples, data)


def _without_captions(photos: pathlib.Path, examples: list[Example]) -> list[pathlib.Path]:
    """The pictures of a folder that have no captions and are not of dev or test.

    Raises:
        DatasetError: there is none.
    """
    left = {example.image.name for example in examples if example.captions or example.split != "train"}
    new = sorted(path for path in photos.iterdir() if path.suffix.lower() in PICTURES and path.name not in left)
    if not new:
        raise DatasetError(f"every picture of {photos} has captions already; give a folder of others")
    return new


def _join(added: list[Example], examples: list[Example], data: pathlib.Path) -> int:
    """Write a data set with what was added, in place of the same pictures without captions; how many were added."""
    names = {example.image.name for example in added}
    write_dataset([*(example for example in examples if example.image.name not in names), *added], data)
    return len(added)


def _ranking(judge: str | None, files: list[str], workdir: pathlib.Path, pool: Texts, texts: list[str]):
    """(place of a photo, places of texts) -> their scores, the best the highest."""
    if judge is None:
        return lambda photo, places: agreement(places, pool, texts)
    likelihood, features = _judge(judge, files, workdir)

    def rank(photo, places):
        """Only those that agree with others are judged: the others seldom win, and judging takes most of the time."""
        scores, agreed = np.full(len(places), -np.inf), agreement(places, pool, texts)
        judged = np.argsort(-agreed)[:JUDGED]
        scores[judged] = likelihood(features[photo], [texts[places[place]] for place in judged])
        return scores

    return rank


def _judge(judge: str, files: list[str], workdir: pathlib.Path, vouched: Names | None = None):
    """A captioning model that ranks texts, and what its encoder makes of the photos."""
    model, vocabulary = load_model(judge)[:2]
    features = extract(model.encoder, files, workdir / "features")
    if model.encoder.class_maps:
        features = join_class_maps(model.encoder, features, workdir / "features")
    return Judge(model, vocabulary, model.config.decoder.max_words, vouched=vouched), features


def main(
    photos: Annotated[pathlib.Path, typer.Argument(help="Folder of photos without captions.")],
    data: Annotated[pathlib.Path, typer.Option(help="Folder with captions.jsonl, which is added to.")],
    texts: Annotated[list[pathlib.Path], typer.Option(help="Captions without photos, one a line.")],
    detections: Annotated[list[pathlib.Path], typer.Option(help="What a detector saw.")],
    workdir: Annotated[pathlib.Path, typer.Option(help="Folder for features.")],
    model: Annotated[str, typer.Option(help="Model folder whose encoder describes photos.")] = "photos",
    count: Annotated[int, typer.Option(min=1, max=20, help="Captions a photo.")] = 4,
    judge: Annotated[
        str | None,
        typer.Option(help="Captioning model that ranks the texts near a photo; else those that agree come first."),
    ] = None,
    variety: Annotated[float, typer.Option(min=0, help="How much a text yields that many photos borrowed.")] = 0.0,
    naming: Annotated[bool, typer.Option(help="Only texts that name just what the detector saw.")] = False,
    boxes: Annotated[pathlib.Path | None, typer.Option(help="With --naming: boxes of words, added to.")] = None,
) -> None:
    """Give photos without captions those of others."""
    if naming and variety:
        raise ConfigError("--variety has no effect with --naming; leave one of them out")
    if boxes and not naming:
        raise ConfigError("--boxes is for texts that name what the detector saw; add --naming or leave it out")
    pool = [text for path in texts for text in read_texts(path)]
    seen = read_detections(detections)
    if naming:
        added = borrow_by_name(photos, data, pool, seen, judge or model, workdir, count, boxes)
    else:
        added = borrow_captions(photos, data, pool, seen, model, workdir, count, judge, variety)
    rich.print(f"{added} photos with up to {count} borrowed captions each joined the training pictures of {data}")


if __name__ == "__main__":
    commands.run(main)
