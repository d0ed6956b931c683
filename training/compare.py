"""python -m training.compare --flickr8k DATA --shapes SHAPES --workdir DIR: every mechanism trained and measured alike.

Each mechanism of `training.comparison.mechanisms` is trained for as many steps of the same batches on generated shapes
and on Flickr8k, on cached features of a frozen encoder; then the default and the best three for twice as many with two
seeds, and, for its figure, the decoder without attention. Every run leaves a model folder in DIR/models and one JSON
file in DIR/rows, and a run whose file is there is not run again: the command goes on where it was stopped. Rows are
trained beside each other, each on one core.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import gc
import math
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

import numpy as np
import rich
import rich.table
import typer

from captioner.quiet import load_keras

load_keras()

import keras

from captioner.config import DecodingOptions
from captioner.errors import ModelError
from captioner.folders.folder import read_json, write_json
from captioner.folders.keras_folder import load_model, save_model
from captioner.network.compiling import whole_steps
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from captioner.runtimes.base import cores
from captioner.search.controls import Controls
from captioner.search.graphs import Searcher
from captioner.vocabulary import Vocabulary
from training import commands
from training.comparison.mechanisms import DEFAULT, MECHANISMS
from training.comparison.processes import side_by_side
from training.config import TrainingConfig, load_config
from training.data.datasets import of_split, read_boxes, read_dataset
from training.data.features import extract
from training.data.pipeline import FeatureBatches, Sampling, encode_captions, upcoming
from training.engine.optimizer import make_optimizer
from training.engine.trainer import CaptionTrainer
from training.evaluation.grounding import evaluate_boxes
from training.evaluation.metrics import evaluate_captions
from training.shapes import is_right
from training.workdir import locked, written

CONFIGS = pathlib.Path(__file__).resolve().parent / "configs"
TOGETHER = 50  # dev pictures that are captioned at once
BEST = 3
BASELINE = "mean"


@dataclasses.dataclass(frozen=True)
class Run:
    """One row: a mechanism, the data it is trained on, how many passes of the configured steps, and the seed."""

    arena: str
    mechanism: str
    passes: int = 1
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.arena}-{self.mechanism}-{self.passes}-{self.seed}"


class Arena:
    """A data set with cached features, and the description of the default.

    Args:
        name: "flickr8k" or "shapes".
        config: its experiment.
        data: folder with captions.jsonl.
        boxes: boxes of words of the dev split, or None.
        encoder: makes the encoder.
        workdir: features are found or made in workdir/features.
    """

    def __init__(
        self,
        name: str,
        config: TrainingConfig,
        data: pathlib.Path,
        boxes: pathlib.Path | None,
        encoder: Callable[[], Encoder],
        workdir: pathlib.Path,
    ):
        self.name, self.config, self.workdir = name, config, workdir
        examples = read_dataset(data)
        self.train, all_dev = of_split(examples, "train"), of_split(examples, "dev")
        self.dev = all_dev[: config.validation_pictures]
        self.boxes = read_boxes(boxes) if boxes else None
        self.vocabulary = Vocabulary.count((text for e in self.train for text in e.captions), config.min_count)
        self.captions = encode_captions(self.train, self.vocabulary, config.max_words)
        self.encoder = encoder()
        self.features, self.dev_features = (
            extract(self.encoder, [e.file for e in split], workdir / "features") for split in (self.train, all_dev)
        )

    def annotations(self, start: int, stop: int) -> np.ndarray:
        """Annotation vectors of dev pictures."""
        return self.dev_features.take(range(start, min(stop, len(self.dev)))).astype(np.float32)

    def network(self, run: Run) -> CaptionModel:
        """The network of a row, untrained, its encoder frozen."""
        keras.utils.set_random_seed(run.seed)
        stage = self.config.stages[0]
        self.encoder.set_trainable_from(None)
        return CaptionModel(
            MECHANISMS[run.mechanism].of(self.config.model),
            len(self.vocabulary),
            self.encoder,
            dropout=stage.dropout,
            input_dropout=stage.input_dropout,
            state_dropout=stage.state_dropout,
            seed=run.seed,
        )

    def batches(self, run: Run) -> FeatureBatches:
        """The same captions in the same order for every mechanism."""
        stage = self.config.stages[0]
        sampling = Sampling(stage.batch_size, run.seed, stage.steps)
        return FeatureBatches(self.captions, [None] * len(self.captions), self.encoder.grid, sampling, self.features)


def train(trainer: CaptionTrainer, batches: FeatureBatches, passes: int) -> tuple[float, dict[int, list[float]]]:
    """Train for some passes.

    Returns:
        the last pass's mean cross entropy, and the seconds of its steps by the number of words they read.

    Raises:
        ModelError: the loss is not finite.
    """
    for epoch in range(passes):
        batches.begin_epoch(epoch)
        entropies, seconds = [], collections.defaultdict(list)
        for x, y in upcoming(batches):
            begun = time.perf_counter()
            losses = trainer.train_on_batch(x, y, return_dict=True)
            entropies.append(float(losses["cross_entropy"]))
            seconds[x["words"].shape[2]].append(time.perf_counter() - begun)
            if not math.isfinite(entropies[-1]):
                raise ModelError(f"the cross entropy is {entropies[-1]} in step {len(entropies)} of pass {epoch + 1}")
            trainer.reset_metrics()
    return float(np.mean(entropies)), seconds


def train_and_measure(arena: Arena, run: Run) -> dict:
    """Train the network of a row, measure it, and leave it in workdir/models.

    Returns:
        The row: what it is, its parameters, milliseconds of a training step and of a caption (the shortest seen, as
        what else the machine does only adds to it), scores of its dev captions, the mean entropy of their masks as a
        share of the uniform mask's, and masks against boxes where there are any.
    """
    started = time.perf_counter()
    stage, network, batches = arena.config.stages[0], arena.network(run), arena.batches(run)
    trainer = CaptionTrainer(network, stage)
    trainer.compile(optimizer=make_optimizer(stage, network, run.passes * len(batches)), jit_compile=whole_steps())
    cross_entropy, seconds = train(trainer, batches, run.passes)
    commonest = max(seconds, key=lambda words: len(seconds[words]))
    answers = caption_dev(arena, network)
    _write(arena.workdir / "captions" / f"{run.name}.json", answers["captions"])
    row = {
        **dataclasses.asdict(run),
        "title": MECHANISMS[run.mechanism].title,
        "steps": run.passes * len(batches),
        "parameters": sum(int(np.prod(weight.shape)) for weight in network.decoder.trainable_weights),
        "cross_entropy": cross_entropy,
        "milliseconds_per_step": 1000 * min(seconds[commonest]),
        "words_of_that_step": commonest,
        **{name: value for name, value in answers.items() if name != "captions"},
        **_boxes(arena, network),
        "minutes": (time.perf_counter() - started) / 60,
    }
    card = f"# {row['title']}\n\nA row of training.compare: {row['steps']} steps on {run.arena}, seed {run.seed}.\n"
    save_model(arena.workdir / "models" / run.name, network, arena.vocabulary, {"dev": row}, card)
    return row


def caption_dev(arena: Arena, network: CaptionModel) -> dict:
    """Captions of the dev pictures by beam search, their scores, and how sharp their masks are."""
    options = DecodingOptions(beam_width=arena.config.validation_beam_width)
    controls = Controls.resolve(options, arena.vocabulary, network.config.decoder.max_words)
    searcher = Searcher(network.decoder, controls.structure, network.decoder.tables())
    texts, entropies, seconds = [], [], []
    for start in range(0, len(arena.dev), TOGETHER):
        annotations = arena.annotations(start, start + TOGETHER)
        begun = time.perf_counter()
        found = searcher.run(annotations, controls)
        seconds.append((time.perf_counter() - begun) / len(annotations))
        for words, masks, length in zip(*(found[name][:, 0] for name in ("words", "weights", "length")), strict=True):
            texts.append(" ".join(arena.vocabulary.decode(words[:length])))
            entropies += list(-(masks[:length] * np.log(masks[:length] + 1e-12)).sum(-1) / np.log(masks.shape[-1]))
    references = [example.captions for example in arena.dev]
    metrics = evaluate_captions(texts, references)
    rows = [
        {"image": example.image.name, "caption": text, "references": list(example.captions)}
        for example, text in zip(arena.dev, texts, strict=True)
    ]
    return {
        "captions": rows,
        **{name: metrics[name] for name in ("bleu_4", "cider_d", "distinct")},
        "exact": float(np.mean([is_right(text, of) for text, of in zip(texts, references, strict=True)])),
        "mask_entropy": float(np.mean(entropies)),
        "milliseconds_per_caption": 1000 * min(seconds),
    }


def _boxes(arena: Arena, network: CaptionModel) -> dict:
    """Masks of the reference captions' words against their boxes."""
    if not arena.boxes:
        return {}
    found = evaluate_boxes(network, arena.vocabulary, arena.dev, arena.annotations, arena.boxes, TOGETHER)
    return {f"{name}_{kind}": row[name] for kind, row in found.items() for name in ("point", "mass")}


def compare(
    arenas: dict[str, Callable[[], Arena]], workdir: pathlib.Path, mechanisms: Sequence[str], processes: int
) -> list[dict]:
    """All rows that are not there yet, then what they say.

    Args:
        arenas: makes each arena, once it is needed; goes to other processes.
        workdir: rows, models, captions and features.
        mechanisms: names in `MECHANISMS`.
        processes: rows that are trained beside each other.
    """
    first = [Run(arena, mechanism) for arena in arenas for mechanism in mechanisms]
    rows = _rows(arenas, first, workdir, processes)
    return rows + _rows(arenas, list(longer(rows)), workdir, processes)


class RowMaker:
    """Trains the network of a row and writes the row; keeps the arenas it has made."""

    def __init__(self, arenas: dict[str, Callable[[], Arena]], workdir: pathlib.Path):
        self.arenas, self.workdir, self.made = arenas, workdir, {}

    def __call__(self, run: Run) -> dict:
        if run.arena not in self.made:
            self.made[run.arena] = self.arenas[run.arena]()
        row = train_and_measure(self.made[run.arena], run)
        _write(_path(self.workdir, run), row)
        keras.backend.clear_session()
        gc.collect()
        return row


def longer(rows: list[dict]) -> Iterator[Run]:
    """Twice the steps with two seeds, on photos: the default, the best by CIDEr-D, and no attention."""
    photos = [row for row in rows if row["arena"] == "flickr8k"]
    ranked = sorted(photos, key=lambda row: -row["cider_d"])
    best = [row["mechanism"] for row in ranked if row["mechanism"] not in (DEFAULT, BASELINE)][:BEST]
    there = {row["mechanism"] for row in photos}
    for mechanism in (DEFAULT, *best, BASELINE):
        if mechanism in there:
            yield from (Run("flickr8k", mechanism, passes=2, seed=seed) for seed in (1, 2))


def _path(workdir: pathlib.Path, run: Run) -> pathlib.Path:
    return workdir / "rows" / f"{run.name}.json"


def _rows(arenas, runs: list[Run], workdir: pathlib.Path, processes: int) -> list[dict]:
    missing = [run for run in runs if not _path(workdir, run).exists()]
    for name in dict.fromkeys(run.arena for run in missing):
        arenas[name]()  # extracts features that are not there, with all cores
    for done, row in enumerate(side_by_side(RowMaker(arenas, workdir), missing, processes), 1):
        score = f"BLEU-4 {row['bleu_4']:.3f}, CIDEr-D {row['cider_d']:.3f}, exact {row['exact']:.3f}"
        rich.print(f"{done} of {len(missing)}: {row['arena']}, {row['title']}: {score}, {row['minutes']:.1f} minutes")
    return [read_json(_path(workdir, run)) for run in runs]


def _write(path: pathlib.Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as partial:
        write_json(partial, value)


COLUMNS = {
    "parameters": "{:,}",
    "milliseconds_per_step": "{:.0f}",
    "milliseconds_per_caption": "{:.1f}",
    "bleu_4": "{:.3f}",
    "cider_d": "{:.3f}",
    "exact": "{:.3f}",
    "mask_entropy": "{:.2f}",
    "point_all": "{:.2f}",
}


def _show(rows: list[dict]) -> None:
    for arena, passes in sorted({(row["arena"], row["passes"]) for row in rows}):
        table = rich.table.Table("mechanism", "seed", *(name.replace("_", " ") for name in COLUMNS), title=arena)
        for row in rows:
            if (row["arena"], row["passes"]) == (arena, passes):
                cells = (form.format(row[name]) if name in row else "" for name, form in COLUMNS.items())
                table.add_row(row["title"], str(row["seed"]), *cells)
        rich.print(table)


def arena_of_photos(data, boxes, weights, workdir) -> Arena:
    config = load_config(CONFIGS / "compare_flickr8k.toml")
    encoder = lambda: Encoder(config.model.encoder, str(weights or config.encoder_weights), name="encoder")
    return Arena("flickr8k", config, data, boxes, encoder, workdir)


def arena_of_shapes(data, workdir) -> Arena:
    config = load_config(CONFIGS / "compare_shapes.toml")
    return Arena("shapes", config, data, data / "boxes.json.gz", lambda: load_model("shapes")[0].encoder, workdir)


def main(
    workdir: Annotated[pathlib.Path, typer.Option(help="Folder for features, rows, models and captions.")],
    flickr8k: Annotated[pathlib.Path | None, typer.Option(help="Folder with Flickr8k's captions.jsonl.")] = None,
    shapes: Annotated[pathlib.Path | None, typer.Option(help="Folder of training.prepare shapes.")] = None,
    encoder_weights: Annotated[pathlib.Path | None, typer.Option(help="ImageNet weights, else downloaded.")] = None,
    boxes: Annotated[pathlib.Path | None, typer.Option(help="Boxes of words of Flickr8k's dev photos.")] = None,
    only: Annotated[list[str] | None, typer.Option(help="A mechanism; all unless any is named.")] = None,
    processes: Annotated[int, typer.Option(min=1, help="Rows trained beside each other, one a core.")] = cores(),
) -> None:
    """Train every mechanism alike and measure it."""
    unknown = [name for name in only or [] if name not in MECHANISMS]
    if unknown or not (flickr8k or shapes):
        problem = f"--only takes one of {', '.join(MECHANISMS)}" if unknown else "give --flickr8k, --shapes or both"
        raise typer.BadParameter(problem)
    chosen = [name for name in MECHANISMS if not only or name in only]
    arenas = {}  # photos first: their rows take longest, and short ones fill the end
    if flickr8k:
        arenas["flickr8k"] = functools.partial(arena_of_photos, flickr8k, boxes, encoder_weights, workdir)
    if shapes:
        arenas["shapes"] = functools.partial(arena_of_shapes, shapes, workdir)
    with locked(workdir):
        _show(compare(arenas, workdir, chosen, processes))


if __name__ == "__main__":
    commands.run(main)
