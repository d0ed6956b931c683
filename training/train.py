"""python -m training.train --config NAME.toml --data DATA --workdir DIR: from a data set to a model folder."""

from __future__ import annotations

import json
import pathlib
from typing import Annotated

import numpy as np
import rich
import typer

from captioner.quiet import load_keras

load_keras()

import keras

from captioner.encoder import Encoder
from captioner.model import CaptionModel
from captioner.store import save_model
from captioner.vocabulary import Vocabulary
from training import commands
from training.config import Stage, TrainingConfig, load_config
from training.datasets import Example, of_split, read_boxes, read_dataset
from training.features import extract, load_squares
from training.pipeline import FeatureBatches, ImageBatches, encode_captions
from training.trainer import CaptionTrainer, make_optimizer
from training.validation import Validation


class Run:
    """The parts of one training run that all of its stages share."""

    def __init__(self, config: TrainingConfig, data: pathlib.Path, workdir: pathlib.Path, boxes: pathlib.Path | None):
        self.config, self.workdir = config, pathlib.Path(workdir)
        self.workdir.mkdir(parents=True, exist_ok=True)
        examples = read_dataset(data)
        self.train, self.all_dev = of_split(examples, "train"), of_split(examples, "dev")
        self.dev = self.all_dev[: config.validation_pictures]
        self.vocabulary = Vocabulary.count((text for e in self.train for text in e.captions), config.min_count)
        self.vocabulary.save(self.workdir / "vocabulary.txt")
        self.captions = encode_captions(
            self.train, self.vocabulary, config.max_words, read_boxes(boxes) if boxes else None
        )
        boxed = sum(len(caption.boxes) for caption in self.captions)
        rich.print(
            f"{len(self.train)} pictures, {len(self.captions)} captions, {len(self.vocabulary)} words, "
            f"{boxed} words with boxes; {len(self.dev)} dev pictures"
        )
        weights = None if config.encoder_weights == "none" else config.encoder_weights
        self.encoder = Encoder(config.model.encoder, weights, from_scratch=weights is None, name="encoder")

    def model(self, stage: Stage) -> CaptionModel:
        """The network with the dropout of a stage, its encoder frozen as the stage asks."""
        self.encoder.set_trainable_from(stage.train_encoder_from)
        return CaptionModel(
            self.config.model,
            len(self.vocabulary),
            self.encoder,
            dropout=stage.dropout,
            input_dropout=stage.input_dropout,
            state_dropout=stage.state_dropout,
            seed=self.config.seed,
        )

    def features(self, examples: list[Example]):
        """Cached annotation vectors of pictures."""
        return extract(self.encoder, [example.image for example in examples], self.workdir / "features")

    def batches(self, stage: Stage):
        """What `fit` draws from."""
        common = {"grid": self.encoder.grid, "size": stage.batch_size, "seed": self.config.seed, "steps": stage.steps}
        if stage.train_encoder_from is None:
            return FeatureBatches(self.captions, self.features(self.train), range(len(self.train)), **common)
        return ImageBatches(self.captions, self.train, self.config.model.encoder, **common)

    def best_so_far(self) -> float:
        """CIDEr-D of the model in `workdir`/best; -1 where there is none."""
        path = self.workdir / "best" / "metrics.json"
        return json.loads(path.read_text(encoding="utf-8"))["dev"]["cider_d"] if path.exists() else -1.0

    def dev_annotations(self, stage: Stage):
        """Annotation vectors of dev pictures `start` to `stop`, cached where the encoder is frozen."""
        if stage.train_encoder_from is None:
            features = self.features(self.all_dev)
            return lambda start, stop: features.take(range(start, min(stop, len(self.dev)))).astype(np.float32)
        size = self.encoder.config.image_size
        encode = keras.Sequential([keras.Input((size, size, 3), dtype="uint8"), self.encoder])
        encode.compile(jit_compile=False)
        paths = [example.image for example in self.dev]
        return lambda start, stop: encode.predict_on_batch(load_squares(paths[start:stop], self.encoder.config))


def train(
    config: TrainingConfig, data: pathlib.Path, workdir: pathlib.Path, boxes: pathlib.Path | None = None
) -> pathlib.Path:
    """Train a model and leave it in `workdir`/best.

    A stage that has ended is not run again: its weights lie in `workdir`/stage-N.weights.h5.

    Args:
        config: the experiment.
        data: folder with captions.jsonl.
        workdir: features, checkpoints and logs go there.
        boxes: boxes of words for the attention loss, or None.

    Returns:
        The model folder.

    Raises:
        DatasetError, ConfigError: the data or the configuration cannot be used.
    """
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    run = Run(config, data, workdir, boxes)
    before = None
    for number, stage in enumerate(config.stages):
        weights = run.workdir / f"stage-{number}.weights.h5"
        if not weights.exists():
            _train_stage(run, number, stage, before, weights)
        before = weights
    return run.workdir / "best"


def _train_stage(run: Run, number: int, stage: Stage, before: pathlib.Path | None, weights: pathlib.Path) -> None:
    network = run.model(stage)
    if before:
        network.load_weights(before)
    batches = run.batches(stage)
    trainer = CaptionTrainer(network, stage)
    optimizer = make_optimizer(stage, network, stage.epochs * len(batches))
    trainer.compile(optimizer=optimizer, jit_compile=False)
    partial = weights.with_name(f"partial-{number}.weights.h5")

    def save(metrics):
        network.save_weights(partial)
        partial.replace(weights.with_name(f"best-{number}.weights.h5"))
        if metrics["cider_d"] >= run.best_so_far():
            save_model(run.workdir / "best", network, run.vocabulary, {"dev": metrics}, _card(run, metrics))

    validation = Validation(
        network,
        run.vocabulary,
        run.dev_annotations(stage),
        run.dev,
        run.config.validation_beam_width,
        save,
        stage.patience,
    )
    averaging = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if stage.ema else []
    trainer.fit(
        batches,
        epochs=stage.epochs,
        verbose="auto" if rich.get_console().is_terminal else 2,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            *averaging,
            validation,
            keras.callbacks.CSVLogger(run.workdir / f"stage-{number}.csv"),
            keras.callbacks.TensorBoard(run.workdir / "tensorboard" / f"stage-{number}", write_graph=False),
        ],
    )
    weights.with_name(f"best-{number}.weights.h5").replace(weights)


def _card(run: Run, metrics: dict) -> str:
    return (
        f"# Caption model\n\nTrained on {len(run.train)} pictures with {len(run.captions)} captions; judged on "
        f"{len(run.dev)} dev pictures with beam {run.config.validation_beam_width}: BLEU-4 {metrics['bleu_4']:.3f}, "
        f"CIDEr-D {metrics['cider_d']:.3f}.\n"
    )


def main(
    config: Annotated[pathlib.Path, typer.Option(help="TOML file of the experiment.")],
    data: Annotated[pathlib.Path, typer.Option(help="Folder with captions.jsonl.")],
    workdir: Annotated[pathlib.Path, typer.Option(help="Folder for features, checkpoints, logs and the model.")],
    boxes: Annotated[pathlib.Path | None, typer.Option(help="Boxes of words, for the attention loss.")] = None,
    set: Annotated[list[str] | None, typer.Option(help="Change a setting: section.key=value.")] = None,
) -> None:
    """Train a caption model."""
    folder = train(load_config(config, set), data, workdir, boxes)
    rich.print(f"model: {folder}")


if __name__ == "__main__":
    commands.run(main)
