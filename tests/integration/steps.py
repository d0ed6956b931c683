"""A few training steps on shapes, from weights that depend on nothing but their names: run by test_backends.py.

python tests/integration/steps.py DATA prints the loss of each step as JSON, on the backend $KERAS_BACKEND names.
"""

from __future__ import annotations

import json
import pathlib
import sys
import zlib

import keras
import numpy as np

from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from captioner.vocabulary import Vocabulary
from training.config import load_config
from training.data.datasets import of_split, read_boxes, read_dataset
from training.data.pipeline import ImageBatches, Sampling, encode_captions
from training.engine.optimizer import make_optimizer
from training.engine.trainer import CaptionTrainer

STEPS = 4


def set_weights(model: CaptionModel) -> None:
    """Kernels get numbers drawn from a seed made of their path and shape; biases and normalisation stay."""
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            name = weight.path.split("/", 1)[-1]
            rng = np.random.default_rng(zlib.crc32(f"{name}{tuple(weight.shape)}".encode()))
            fan_in = int(np.prod(weight.shape[:-1]))
            weight.assign(rng.normal(size=weight.shape) / np.sqrt(fan_in))


def main(data: pathlib.Path) -> None:
    root = pathlib.Path(__file__).resolve().parents[2]
    config = load_config(
        root / "training" / "configs" / "shapes.toml",
        [
            "stages.0.batch_size=8",
            "stages.0.dropout=0",
            "stages.0.ema=0",
            "stages.0.doubly_stochastic=0.1",
            # Adam's first steps have one size whatever the gradient's: at a large rate rounding decides their signs.
            "stages.0.learning_rate=3e-5",
        ],
    )
    examples = of_split(read_dataset(data), "train")
    vocabulary = Vocabulary.count((text for e in examples for text in e.captions), config.min_count)
    stage = config.stages[0]
    encoder = Encoder(config.model.encoder, from_scratch=True, name="encoder")
    model = CaptionModel(config.model, len(vocabulary), encoder)
    set_weights(model)
    captions = encode_captions(examples, vocabulary, config.max_words, read_boxes(data / "boxes.json.gz"))
    unmirrored = [None] * len(captions)
    batches = ImageBatches(
        captions, unmirrored, encoder.grid, Sampling(stage.batch_size), examples, config.model.encoder
    )
    trainer = CaptionTrainer(model, stage)
    trainer.compile(optimizer=make_optimizer(stage, model, STEPS), jit_compile=False)
    losses = []
    for _ in range(STEPS):
        trainer.reset_metrics()
        losses.append(float(trainer.train_on_batch(*batches[0], return_dict=True)["loss"]))
    print(json.dumps({"backend": keras.backend.backend(), "losses": losses}))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
