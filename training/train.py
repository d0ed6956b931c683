"""python -m training.train --config NAME.toml --data DATA --workdir DIR: from a data set to a model folder."""

from __future__ import annotations

import importlib.util
import pathlib
import shutil
from collections.abc import Sequence
from typing import Annotated

import rich
import typer

from captioner.quiet import load_keras

load_keras()

import keras

from captioner.folders.folder import GRAPHS, write_json
from captioner.folders.keras_folder import save_model
from captioner.network.compiling import whole_steps
from training import commands
from training.config import Stage, TrainingConfig, load_config
from training.engine.checkpoint import Checkpoints
from training.engine.logs import StageLogs
from training.engine.loop import Loop
from training.engine.optimizer import make_optimizer
from training.engine.run import Run, Teachers
from training.engine.trainer import CaptionTrainer
from training.engine.validation import Validation
from training.reports.training import write_report
from training.workdir import locked, written

WORTH_UNROLLING = 300  # steps, after which a quicker graph has paid for the time that tracing it takes


def train(
    config: TrainingConfig,
    data: pathlib.Path,
    workdir: pathlib.Path,
    boxes: pathlib.Path | None = None,
    detections: Sequence[pathlib.Path] = (),
    texts: Sequence[pathlib.Path] = (),
) -> pathlib.Path:
    """Train a model and leave it in `workdir`/best.

    A stage that has ended is not run again: its weights lie in `workdir`/stage-N.weights.h5. One that was cut goes on
    from its newest checkpoint, and ends with the weights it would have had.

    Args:
        config: the experiment.
        data: folder with captions.jsonl.
        workdir: features, checkpoints and logs go there.
        boxes: boxes of words for the attention loss, or None.
        detections: what a detector saw, for the encoder's class maps.
        texts: files of captions without photos.

    Returns:
        The model folder.

    Raises:
        DatasetError, ConfigError: the data or the configuration cannot be used.
    """
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    with locked(pathlib.Path(workdir)):
        run = Run(config, data, workdir, Teachers(boxes, tuple(detections), tuple(texts)))
        before, trained = None, False
        for number, stage in enumerate(config.stages):
            weights = run.workdir / f"stage-{number}.weights.h5"
            if not weights.exists():
                _train_stage(run, number, stage, before, weights)
                trained = True
            before = weights
        if trained:
            rich.print(f"report: {write_report(run)}")
    return run.workdir / "best"


def _train_stage(run: Run, number: int, stage: Stage, before: pathlib.Path | None, weights: pathlib.Path) -> None:
    network = run.model(stage)
    if before:
        network.load_weights(before)
    else:
        run.start(network)
    if stage.sharpen != 1:
        network.decoder.sharpen(stage.sharpen)
    batches = run.batches(stage, network)
    steps = stage.epochs * len(batches)
    network.decoder.unrolled = steps >= WORTH_UNROLLING
    trainer = CaptionTrainer(network, stage, steps, run.config.seed)
    trainer.compile(optimizer=make_optimizer(stage, network, steps), jit_compile=whole_steps())
    trainer.optimizer.build(network.trainable_variables)
    best = weights.with_name(f"best-{number}.weights.h5")

    def save(metrics, captions):
        with written(best) as partial:
            network.save_weights(partial)
        if metrics["cider_d"] >= run.best_so_far():
            _write_predictions(run, captions)
            save_model(run.workdir / "best", network, run.vocabulary, {"dev": metrics}, _card(run, metrics))

    beam = run.config.validation_beam_width
    annotations = run.dev_annotations(stage)
    validation = Validation(network, run.vocabulary, annotations, run.dev, beam, save, stage.patience)
    checkpoints = Checkpoints(
        run.workdir / "checkpoints" / f"stage-{number}", run.identity(stage), stage.model_dump(mode="json")
    )
    rate = lambda: float(trainer.optimizer.learning_rate)
    with StageLogs(run.workdir, number, rate, validation) as logs:
        Loop(
            trainer, batches, stage.epochs, validation, checkpoints, run.config.checkpoint_steps, logs.step, logs.epoch
        ).run()
    best.replace(weights)
    shutil.rmtree(checkpoints.folder)


def _add_graphs(folder: pathlib.Path) -> None:
    """Graphs for onnxruntime, where TensorFlow and tf2onnx are there to make them; the model is whole without."""
    if keras.backend.backend() != "tensorflow" or not importlib.util.find_spec("tf2onnx"):
        rich.print("no graphs for onnxruntime: python -m captioner.export --format graphs adds them where tf2onnx is")
        return
    from captioner.export import add_graphs

    keras.config.set_dtype_policy("float32")  # whatever it was trained with
    add_graphs(folder)


def _write_predictions(run: Run, captions: list[str]) -> None:
    rows = [{"image": example.image.name, "caption": text} for example, text in zip(run.dev, captions, strict=True)]
    with written(run.workdir / "dev_predictions.json") as partial:
        write_json(partial, rows)


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
    detections: Annotated[list[pathlib.Path] | None, typer.Option(help="What a detector saw, for class maps.")] = None,
    texts: Annotated[list[pathlib.Path] | None, typer.Option(help="Captions without photos, one a line.")] = None,
    set: Annotated[list[str] | None, typer.Option(help="Change a setting: section.key=value.")] = None,
) -> None:
    """Train a caption model."""
    folder = train(load_config(config, set), data, workdir, boxes, detections or (), texts or ())
    if not (folder / GRAPHS[0]).exists():
        _add_graphs(folder)
    rich.print(f"model: {folder}")


if __name__ == "__main__":
    commands.run(main)
