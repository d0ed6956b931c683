"""python -m training.train --config NAME.toml --data DATA --workdir DIR: from a data set to a model folder."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pathlib
import shutil
import sys
from collections.abc import Sequence
from typing import Annotated

import rich
import typer

from captioner.quiet import load_keras
from training.hosts.guard import guard_training

if __name__ == "__main__":
    guard_training(sys.argv[1:])  # before Keras, which the process that only watches does without

load_keras()

import keras

from captioner.errors import ConfigError
from captioner.folders.folder import GRAPHS, write_json
from captioner.folders.keras_folder import save_model
from captioner.network.compiling import whole_steps
from training import commands
from training.config import Stage, TrainingConfig, load_config
from training.engine.checkpoint import Checkpoints
from training.engine.logs import StageLogs
from training.engine.loop import Loop, averaged_weights
from training.engine.optimizer import learning_rate, make_optimizer
from training.engine.replica import averaged_copy, copy_weights, replica
from training.engine.run import Run, Teachers
from training.engine.trainer import CaptionTrainer
from training.engine.validation import Validation
from training.hosts.group import ALONE, Hosts
from training.hosts.places import Place, find_place
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
    hosts: Hosts = ALONE,
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
        hosts: the processes that train together, each of which calls this.

    Returns:
        The model folder.

    Raises:
        DatasetError, ConfigError: the data or the configuration cannot be used.
    """
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.precision)
    with locked(pathlib.Path(workdir)) if hosts.leads else contextlib.nullcontext():
        hosts.check_shared(pathlib.Path(workdir))
        run = Run(config, data, workdir, Teachers(boxes, tuple(detections), tuple(texts)), hosts)
        before, trained = None, False
        for number, stage in enumerate(config.stages):
            weights = run.workdir / f"stage-{number}.weights.h5"
            if not hosts.agree(weights.exists):
                _train_stage(run, number, stage, before, weights)
                trained = True
            hosts.see([weights])
            before = weights
        if trained and hosts.leads:
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
    hosts, alone = run.hosts, run.hosts.count == 1
    trained = replica(network, lambda encoder: run.network(stage, encoder), hosts)
    batches = run.batches(stage, network, lambda: None if alone else copy_weights(trained, network))
    steps = stage.epochs * len(batches)
    network.decoder.unrolled = trained.decoder.unrolled = steps >= WORTH_UNROLLING
    with hosts.scope():
        trainer = CaptionTrainer(trained, stage, steps, run.config.seed)
        trainer.compile(optimizer=make_optimizer(stage, trained, steps), jit_compile=whole_steps())
        trainer.optimizer.build(trained.trainable_variables)
    best = weights.with_name(f"best-{number}.weights.h5")

    def save(metrics, captions):
        if not hosts.leads:
            return
        with written(best) as partial:
            network.save_weights(partial)
        if metrics["cider_d"] >= run.best_so_far():
            _write_predictions(run, captions)
            save_model(run.workdir / "best", network, run.vocabulary, {"dev": metrics}, _card(run, metrics))

    beam = run.config.validation_beam_width
    annotations = run.dev_annotations(stage)
    validation = Validation(network, run.vocabulary, annotations, run.dev, beam, save, stage.patience, hosts)
    checkpoints = Checkpoints(
        run.workdir / "checkpoints" / f"stage-{number}", run.identity(stage), stage.model_dump(mode="json"), hosts
    )
    loop = Loop(
        trainer,
        batches,
        stage.epochs,
        validation,
        checkpoints,
        run.config.checkpoint_steps,
        hosts=hosts,
        averaged=averaged_weights if alone else averaged_copy(network),
    )
    if not hosts.leads:
        loop.run()
        hosts.wait()
        return
    rate = learning_rate(stage, steps)
    with StageLogs(run.workdir, number, lambda step: float(rate(step)), validation) as logs:
        loop.on_step, loop.on_epoch = logs.step, logs.epoch
        loop.run()
    best.replace(weights)
    shutil.rmtree(checkpoints.folder)
    hosts.wait()


def _add_graphs(folder: pathlib.Path) -> None:
    """Graphs for onnxruntime, where TensorFlow and tf2onnx are there to make them; the model is whole without."""
    if keras.backend.backend() != "tensorflow" or not importlib.util.find_spec("tf2onnx"):
        rich.print(
            "no graphs for onnxruntime, as only TensorFlow with tf2onnx makes them; they are added by "
            f"python -m captioner.export {folder} --format graphs"
        )
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
    hosts: Annotated[
        str | None, typer.Option(metavar="HOST:PORT,…", help="Processes that train together, the first one leads.")
    ] = None,
    host_index: Annotated[int | None, typer.Option(help="Which of --hosts this is, from 0.")] = None,
) -> None:
    """Train a caption model."""
    description = load_config(config, set)
    place = find_place(hosts, host_index, os.environ)
    with _joined(place) as group:
        folder = train(description, data, workdir, boxes, detections or (), texts or (), group)
        if group.leads and not (folder / GRAPHS[0]).exists():
            _add_graphs(folder)
        rich.print(f"model: {folder}")


def _joined(place: Place | None) -> contextlib.AbstractContextManager[Hosts]:
    """The processes that this one trains with."""
    if place is None:
        return contextlib.nullcontext(ALONE)
    if keras.backend.backend() != "jax":
        raise ConfigError(f"several hosts train on JAX and Keras runs on {keras.backend.backend()}; KERAS_BACKEND=jax")
    from training.hosts.joined import joined

    return joined(place)


if __name__ == "__main__":
    commands.run(main)
