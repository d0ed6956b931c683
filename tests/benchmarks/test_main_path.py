"""Time and memory of a caption and of a training step, beside the encoder alone: make bench ARGS="-k main_path"."""

from __future__ import annotations

import resource
import statistics

import numpy as np
import pytest

from captioner.vocabulary import START
from tests.benchmarks.timing import run_times
from training.config import Stage
from training.engine.optimizer import make_optimizer
from training.engine.trainer import CaptionTrainer

PICTURES, CAPTIONS, WORDS = 16, 5, 14


def seconds(call, repeats=7) -> float:
    """Median time of a call that has been warmed up."""
    return statistics.median(run_times(call, repeats))


def peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


@pytest.mark.parametrize("batch", [1, 16])
def test_captioning(captioner, batch):
    size = captioner.config.encoder.image_size
    pictures = list(np.random.default_rng(0).integers(0, 255, (batch, size, size, 3), np.uint8))
    encoder = seconds(lambda: captioner.annotations(np.stack(pictures))) / batch
    whole = seconds(lambda: list(captioner.captions(pictures, batch_size=batch, beam_width=5))) / batch
    print(
        f"\nbatch {batch}: encoder alone {encoder * 1e3:.1f} ms, caption with beam 5 {whole * 1e3:.1f} ms a picture "
        f"({whole / encoder:.2f} times); peak {peak_gigabytes():.2f} GB"
    )


def test_training_step(captioner):
    model, rng = captioner.model, np.random.default_rng(0)
    locations, channels = model.encoder.grid[0] * model.encoder.grid[1], model.encoder.channels
    size = captioner.config.encoder.image_size
    for name, stage, pictures, captions in [
        ("on cached features", Stage(epochs=1), PICTURES * CAPTIONS, 1),
        ("through the encoder", Stage(epochs=1, train_encoder_from=""), PICTURES, CAPTIONS),
    ]:
        model.encoder.set_trainable_from(stage.train_encoder_from)
        if stage.train_encoder_from is None:
            x = {"annotations": rng.normal(size=(pictures, locations, channels)).astype(np.float32)}
        else:
            x = {"images": rng.integers(0, 255, (pictures, size, size, 3), np.uint8)}
        targets = rng.integers(4, len(captioner.vocabulary), (pictures, captions, WORDS)).astype(np.int32)
        x["words"] = np.concatenate([np.full_like(targets[:, :, :1], START), targets[:, :, :-1]], axis=2)
        y = {"targets": targets, "box_shares": np.zeros((*targets.shape, locations), np.float32)}
        trainer = CaptionTrainer(model, stage)
        trainer.compile(optimizer=make_optimizer(stage, model, 100), jit_compile=False)
        step = seconds(lambda x=x, y=y, trainer=trainer: trainer.train_on_batch(x, y), repeats=3)
        print(
            f"\ntraining step {name}, {PICTURES * CAPTIONS} captions of {WORDS} words: {step:.2f} s; "
            f"peak {peak_gigabytes():.2f} GB"
        )
