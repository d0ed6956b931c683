"""Class maps: where each of a list of kinds of things is, read from annotation vectors."""

from __future__ import annotations

import keras
from keras import ops

from captioner.config import ClassMapsConfig

# Annotation vectors of a CNN have numbers of several units; maps from 0 to 1 beside them would hardly be heard.
STRENGTH = 4.0


class ClassMaps(keras.layers.Layer):
    """Maps of named classes over the grid, each cell from 0 (not there) to 1.

    The annotation vectors are normalised and projected, look once at their neighbours (a depthwise convolution of 3x3
    cells), and give one logistic output for each class. The maps are a bridge between text and pictures: a class that
    a detector or a person has boxed can be named by a decoder that has read its name in text alone.

    Args:
        config: the classes and the width.
        grid: rows and columns.

    Shapes:
        annotations: (batch, locations, channels), row by row.
        output: float32 (batch, locations, classes).

    Reference:
        After the visual concepts of Fang et al. 2015, "From captions to visual concepts and back", section 3, and the
        class activation maps of Zhou et al. 2016, here trained on boxes.
    """

    def __init__(self, config: ClassMapsConfig, grid: tuple[int, int], **kwargs):
        super().__init__(**kwargs)
        self.config, self.grid = config, grid

    def build(self, annotations_shape):
        units, rows_columns = self.config.units, (None, *self.grid)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")
        self.project = keras.layers.Dense(units, activation="relu", name="project")
        self.neighbours = keras.layers.DepthwiseConv2D(3, padding="same", activation="relu", name="neighbours")
        # A class is in few cells: starting there spares the first hundred steps.
        self.classify = keras.layers.Dense(
            len(self.config.classes), bias_initializer=keras.initializers.Constant(-4.0), name="classify"
        )
        self.norm.build(annotations_shape)
        self.project.build(annotations_shape)
        self.neighbours.build((*rows_columns, units))
        self.classify.build((*rows_columns, units))
        self.built = True

    def logits(self, annotations):
        """The maps before their logistic function: (batch, locations, classes)."""
        x = self.project(self.norm(annotations))
        grid = ops.reshape(x, (-1, *self.grid, self.config.units))
        x = grid + self.neighbours(grid)
        return self.classify(ops.reshape(x, (-1, self.grid[0] * self.grid[1], self.config.units)))

    def call(self, annotations):
        return ops.sigmoid(self.logits(annotations))

    def joined(self, annotations):
        """The maps as they are joined to annotation vectors: (batch, locations, classes)."""
        return ops.cast(STRENGTH * self(annotations), annotations.dtype)

    def compute_output_shape(self, annotations_shape):
        return (*annotations_shape[:-1], len(self.config.classes))
