"""Recurrence along rows and columns."""

from __future__ import annotations

import keras
from keras import ops

from captioner.network.context.linear import LinearContext


class GridLSTM(LinearContext):
    """One bidirectional LSTM reads every row, another every column; a location gets what both say of it.

    The annotation vectors are brought to `units` first. Each direction has a quarter of `units`.

    Reference:
        Visin et al. 2015, "ReNet: a recurrent neural network based alternative to convolutional networks", whose layers
        read columns after rows; both read the same vectors here.
    """

    def build(self, annotations_shape):
        super().build(annotations_shape)
        quarter = self.split(4, "the four directions of a grid LSTM,")

        def both_ways(name):
            # Unrolled: a row is short, and exporters know no loops of Keras.
            lstm = keras.layers.LSTM(quarter, return_sequences=True, unroll=True, name="lstm")
            layer = keras.layers.Bidirectional(lstm, name=name)
            layer.build((None, None, self.config.units))
            return layer

        self.along_rows, self.along_columns = both_ways("along_rows"), both_ways("along_columns")

    def call(self, annotations):
        rows, columns = self.grid
        units = self.config.units
        cells = ops.reshape(super().call(annotations), (-1, rows, columns, units))
        across = self.along_rows(ops.reshape(cells, (-1, columns, units)))
        down = self.along_columns(ops.reshape(ops.swapaxes(cells, 1, 2), (-1, rows, units)))
        across = ops.reshape(across, (-1, rows, columns, units // 2))
        down = ops.swapaxes(ops.reshape(down, (-1, columns, rows, units // 2)), 1, 2)
        return ops.reshape(ops.concatenate([across, down], axis=-1), (-1, rows * columns, units))
