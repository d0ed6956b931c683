"""Weights from a file into a network that was built without numbers.

Random numbers for a network of 400 layers, and Keras's own walk through them, take most of the time in which a model
loads, so its encoder is built without and filled from the file.
"""

from __future__ import annotations

import collections
import re

import h5py
import keras


def without_numbers() -> keras.StatelessScope:
    """A scope in which an encoder is built whose variables have a shape and no value yet."""
    return keras.StatelessScope(initialize_variables=False)


class _DecoderOnly(keras.Model):
    """As much of a caption model as Keras has to fill."""

    def __init__(self, decoder):
        super().__init__()
        self.decoder = decoder
        self.built = True


def load_weights(model, path) -> None:
    """Read a file in Keras's layout into a model whose encoder was built in `without_numbers`.

    Raises:
        OSError, KeyError, ValueError: the file is none, lacks a weight, or holds one of another shape.
    """
    with h5py.File(path, "r") as file:
        _fill(model.encoder.cnn.layers, file["encoder/cnn/layers"])
    left = [variable for variable in model.encoder.variables if variable._value is None]
    for variable in left:
        variable._deferred_initialize()
    weights_left = any(keras.backend.is_float_dtype(variable.dtype) for variable in left)  # others are random states
    (model if weights_left else _DecoderOnly(model.decoder)).load_weights(path)


def _fill(layers: list[keras.layers.Layer], groups: h5py.Group) -> None:
    """Give the layers' own variables their values; Keras names a layer's group by its class and number."""
    seen = collections.Counter()
    for layer in layers:
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
        name = f"{kind}_{seen[kind]}" if seen[kind] else kind
        seen[kind] += 1
        if not layer.variables:
            continue
        stored = groups[f"{name}/vars"] if name in groups else {}
        for number, variable in enumerate(layer.variables[: len(stored)]):
            values = stored[str(number)][()].astype(variable.dtype)  # HDF5 turns float16 to float32 ten times as slowly
            if values.shape != tuple(variable.shape):
                raise ValueError(f"{layer.name} has a weight of shape {tuple(variable.shape)}, the file {values.shape}")
            variable._initialize(values)
            variable._initializer = None
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
