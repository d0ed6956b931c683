"""Teaches an encoder's class maps to draw what a detector saw, on cached annotation vectors of a frozen CNN."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from captioner.network.class_maps import ClassMaps
from captioner.network.compiling import whole_steps
from training.config import ClassMapsTraining
from training.data.detections import Detections
from training.data.features import Features
from training.progress import counted


class ClassMapsTrainer(keras.Model):
    """Class maps under binary cross-entropy, each detection a bump of its score.

    Args:
        maps: the layer that learns.
    """

    def __init__(self, maps: ClassMaps):
        super().__init__(name="class_maps_trainer")
        self.maps = maps
        self.built = True

    def call(self, annotations, training=False):
        return self.maps.logits(annotations)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        # Summed over classes: nearly all of them are absent from nearly all cells.
        return ops.mean(ops.sum(ops.binary_crossentropy(y, y_pred, from_logits=True), axis=-1))


def train_class_maps(
    maps: ClassMaps,
    features: Features,
    photos: list[str],
    detections: Detections,
    settings: ClassMapsTraining,
    seed: int = 0,
) -> list[float]:
    """Train the layer in place.

    Args:
        maps: the layer, built.
        features: annotation vectors of the photos, without class maps.
        photos: their file names; one without detections shows nothing of the classes.
        detections: the teacher.
        settings: length and rate.
        seed: of the order.

    Returns:
        The mean loss of each epoch.
    """
    steps = settings.epochs * -(-len(photos) // settings.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    trainer = ClassMapsTrainer(maps)
    trainer.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=1e-4), jit_compile=whole_steps())
    history, grid = [], maps.grid
    with counted("class maps", settings.epochs * len(photos), "pictures") as advance:
        for epoch in range(settings.epochs):
            order, losses = np.random.default_rng((seed, epoch)).permutation(len(photos)), []
            for start in range(0, len(order), settings.batch_size):
                chosen = order[start : start + settings.batch_size]
                annotations = features.take(chosen).astype(np.float32)
                targets = np.stack([detections.maps(photos[i], grid) for i in chosen])
                losses.append(float(trainer.train_on_batch(annotations, targets)))
                advance(len(chosen))
            history.append(float(np.mean(losses)))
    return history
