"""Shorter annotation vectors."""

from __future__ import annotations

import keras

from captioner.network.context.base import Context


class LinearContext(Context):
    """a'_i = W a_i + b: no location learns of another; the vectors get the length that `units` says."""

    def build(self, annotations_shape):
        self.project = keras.layers.Dense(self.config.units, name="project")
        self.project.build(annotations_shape)

    def call(self, annotations):
        return self.project(annotations)
