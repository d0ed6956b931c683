"""One stage of training, step by step, so that a checkpoint can hold the place between any two steps."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from captioner.errors import ModelError
from training.data.pipeline import upcoming
from training.engine.checkpoint import Checkpoints
from training.hosts.group import ALONE, Hosts
from training.progress import Progress


@dataclasses.dataclass
class Memory:
    """What a loop knows besides the variables of its model: JSON-ready by `dataclasses.asdict`.

    Attributes:
        epoch: the epoch that training is in, from 0.
        step: how many of its steps are done.
        sums: sums of the losses over these steps.
        seconds: time these steps took.
        captions: captions in these steps, those of other hosts taken to be as many as this one's.
        history: one row of figures for every whole epoch.
        validation: what the validation remembers.
    """

    epoch: int = 0
    step: int = 0
    sums: dict[str, float] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    captions: int = 0
    history: list[dict[str, float]] = dataclasses.field(default_factory=list)
    validation: dict[str, Any] = dataclasses.field(default_factory=dict)


class Loop:
    """Epochs of training with a checkpoint after each and, if asked, between them.

    Args:
        trainer: a compiled model whose optimizer is built.
        batches: what it is fed; see `training.data.pipeline`.
        epochs: how many passes.
        validation: judges the averaged weights after each epoch; see `training.engine.validation`.
        checkpoints: where checkpoints go.
        every: steps between two checkpoints within an epoch; None writes them after epochs alone.
        on_step: called with the number of steps in all and the losses of the last one.
        on_epoch: called with the number of steps in all and the history, its last row the epoch that has just ended.
        hosts: that take each step together.
        averaged: the context in which the network that is judged has the moving average of the trained weights.
    """

    def __init__(
        self,
        trainer: keras.Model,
        batches,
        epochs: int,
        validation,
        checkpoints: Checkpoints,
        every: int | None = None,
        on_step: Callable[[int, dict[str, float]], None] = lambda step, losses: None,
        on_epoch: Callable[[int, list[dict[str, float]]], None] = lambda step, history: None,
        hosts: Hosts = ALONE,
        averaged: Callable[[keras.Model], contextlib.AbstractContextManager] | None = None,
    ):
        self.hosts, self.averaged = hosts, averaged or averaged_weights
        self.trainer, self.batches, self.epochs, self.every = trainer, batches, epochs, every
        self.validation, self.checkpoints, self.on_step, self.on_epoch = validation, checkpoints, on_step, on_epoch
        self.functions: dict[tuple, Any] = {}
        self.memory = Memory()

    def run(self) -> None:
        """Train from the newest checkpoint, or from the start, to the end of the stage.

        Raises:
            ModelError: a loss or a weight is not finite, or the checkpoint is of another run.
        """
        memory = self.checkpoints.restore(self.trainer)
        if memory is not None:
            self.memory = Memory(**memory)
            self.validation.restore(self.memory.validation)
        with Progress(self.epochs, len(self.batches)) as progress:
            progress.say(_where(self.memory) if memory else "")
            while self.memory.epoch < self.epochs and not self.validation.patience_is_over:
                self._epoch(progress)

    def _epoch(self, progress: Progress) -> None:
        memory = self.memory
        self.batches.begin_epoch(memory.epoch)
        progress.begin_epoch(memory.epoch, memory.step)
        started = time.perf_counter() - memory.seconds
        for x, y in upcoming(self.batches, self.memory.step):
            losses = self._step(x, y)
            memory.step += 1
            memory.seconds = time.perf_counter() - started
            self.on_step(memory.epoch * len(self.batches) + memory.step, losses)
            progress.advance(
                {name: total / memory.step for name, total in memory.sums.items()}, memory.captions, memory.seconds
            )
            if self.every and memory.step % self.every == 0 and memory.step < len(self.batches):
                self._save()
        row = {"epoch": memory.epoch + 1, **{name: total / memory.step for name, total in memory.sums.items()}}
        row |= {"seconds": memory.seconds, "captions_per_second": memory.captions / memory.seconds}
        with self.averaged(self.trainer):
            row |= self.validation.judge(memory.epoch)
        history = [*memory.history, row]
        self.memory = Memory(epoch=memory.epoch + 1, history=history, validation=self.validation.state())
        self.on_epoch(self.memory.epoch * len(self.batches), history)
        self._save()

    def _step(self, x, y) -> dict[str, float]:
        losses = self.train_on(x, y)
        losses = {name: float(value) for name, value in losses.items()}
        if not math.isfinite(losses["loss"]):
            raise ModelError(
                f"the loss is {losses['loss']} in epoch {self.memory.epoch + 1}, step {self.memory.step + 1}; lower "
                "learning_rate or clip_norm and give the command again: it goes on from the last checkpoint"
            )
        for name, value in losses.items():
            self.memory.sums[name] = self.memory.sums.get(name, 0.0) + value
        self.memory.captions += int(np.any(y["targets"], axis=-1).sum()) * self.hosts.count
        return losses

    def train_on(self, x, y) -> dict[str, Any]:
        """One step, by a function of its own for each shape: one for all shapes would not know a caption's length."""
        shape = tuple(np.shape(y["targets"]))
        self.trainer.train_function = self.functions.get(shape)
        with self.hosts.scope():
            losses = self.trainer.train_on_batch(x, y, return_dict=True)
        self.functions[shape] = self.trainer.train_function
        return losses

    def _save(self) -> None:
        if self.hosts.leads:
            self.checkpoints.save(self.trainer, dataclasses.asdict(self.memory))


@contextlib.contextmanager
def averaged_weights(trainer: keras.Model) -> Iterator[None]:
    """The model with the moving average of its weights, where the optimizer keeps one; afterwards with its own again.

    Keras's SwapEMAWeights adds and subtracts on TensorFlow, which does not give back the weights it found.
    """
    optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
    if not optimizer.use_ema:
        yield
        return
    weights = optimizer._trainable_variables
    own = [keras.ops.convert_to_numpy(weight) for weight in weights]
    for weight, average in zip(weights, optimizer._model_variables_moving_average, strict=True):
        # A copy: on JAX the variables would share one array, and a search gives away that of the weight.
        weight.assign(np.array(keras.ops.convert_to_numpy(average)))
    try:
        yield
    finally:
        for weight, value in zip(weights, own, strict=True):
            weight.assign(value)


def _where(memory: Memory) -> str:
    return f"going on in epoch {memory.epoch + 1} after {memory.step} steps of it"
