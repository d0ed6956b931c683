"""CNN encoder: a photo becomes a grid of annotation vectors (Xu et al. 2015, section 3.1.1)."""

from __future__ import annotations

import functools
import inspect
import socket
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from captioner.config import EncoderConfig
from captioner.errors import ConfigError
from captioner.network.class_maps import ClassMaps

PATIENCE = 15.0  # seconds that a server of weights may keep silent


def application(name: str):
    """The class or function of `keras.applications` with this name, and the module it comes from.

    Raises:
        ConfigError: there is none.
    """
    build = getattr(keras.applications, name, None)
    if not callable(build) or not name[:1].isupper():
        known = [n for n, v in vars(keras.applications).items() if callable(v) and n[:1].isupper()]
        raise ConfigError(f"keras.applications has no architecture '{name}': choose one of {', '.join(known)}")
    return build, inspect.getmodule(build)


def _build_application(config: EncoderConfig, weights: str | None):
    build, module = application(config.architecture)
    size, patience = config.image_size, socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(PATIENCE)
        full = build(include_top=False, weights=weights, input_shape=(size, size, 3), **config.options)
    except Exception as error:  # Keras raises plain exceptions, too: of a download, say
        reason = str(error).strip().split("\n")[0]
        raise ConfigError(
            f"cannot build the encoder {config.architecture} with weights {weights}: {reason}{_without(weights)}"
        ) from None
    finally:
        socket.setdefaulttimeout(patience)
    return full, module


def _without(weights: str | None) -> str:
    """What to do where weights cannot be downloaded."""
    if weights != "imagenet":
        return ""
    return '; set encoder_weights to a file of weights or to "none", or start_from to a model folder'


def _tap(full: keras.Model, config: EncoderConfig) -> keras.Model:
    outputs = []
    for name in config.layers:
        try:
            outputs.append(full.get_layer(name).output)
        except ValueError:
            places = [layer.name for layer in full.layers if len(layer.output.shape) == 4][-8:]
            raise ConfigError(
                f"{config.architecture} has no layer '{name}' to tap; the last of its layers are {', '.join(places)}"
            ) from None
    grids = {tuple(output.shape[1:3]) for output in outputs}
    if len(grids) > 1:
        raise ConfigError(
            f"layers {', '.join(config.layers)} have different grids {sorted(grids)}; tap layers of one grid"
        )
    return keras.Model(full.input, outputs, name="cnn")


def _coordinates(grid: tuple[int, int]) -> np.ndarray:
    """Column and row of each cell's centre, from -1 to 1: (rows, columns, 2)."""
    rows, columns = (2 * (np.arange(side) + 0.5) / side - 1 for side in grid)
    return np.stack(np.meshgrid(columns, rows), axis=-1).astype(np.float32)


class Encoder(keras.layers.Layer):
    """A `keras.applications` CNN up to named layers, its preprocessing included.

    Batch normalisation uses its stored statistics unless the encoder is trained from scratch.

    Args:
        config: architecture, tap, image size.
        weights: None for random weights, "imagenet" (downloaded by Keras), or the path of a weights file of the
            whole network without its top.
        trainable_from: None freezes every layer; a layer's name trains from it on; "" trains all.
        from_scratch: let batch normalisation learn its statistics, quickly.

    Input: pixels (batch, image_size, image_size, 3), RGB from 0 to 255, any number type.
    Output: annotation vectors (batch, rows * columns, channels), row by row; class maps, where there are any, are
    their last channels.

    Raises:
        ConfigError: no such architecture, layer or weights.
    """

    def __init__(self, config: EncoderConfig, weights=None, trainable_from=None, from_scratch=False, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.from_scratch = from_scratch
        full, module = _build_application(config, weights)
        self._preprocess = module.preprocess_input
        self.cnn = _tap(full, config)
        self.class_maps = None
        self.set_trainable_from("" if from_scratch else trainable_from)
        shapes = [output.shape for output in self.cnn.outputs]
        self.grid = tuple(int(side) for side in shapes[0][1:3])
        self.channels = self.appearance_channels = sum(int(shape[3]) for shape in shapes) + 2 * config.coordinates
        if config.class_maps:
            self.class_maps = ClassMaps(config.class_maps, self.grid, name="class_maps")
            self.class_maps.build((None, self.grid[0] * self.grid[1], self.appearance_channels))
            self.channels += len(config.class_maps.classes)
        if from_scratch:
            for layer in self.cnn.layers:
                if isinstance(layer, keras.layers.BatchNormalization):
                    layer.momentum = 0.9  # a run of minutes never reaches the stock 0.999

    def set_trainable_from(self, name: str | None) -> None:
        """Freeze all layers, or those before the named one; "" trains every layer. Class maps train with any."""
        self.cnn.trainable = True
        names = [layer.name for layer in self.cnn.layers]
        if name and name not in names:
            raise ConfigError(
                f"the encoder has no layer '{name}' to train from; its layers run from {names[0]} to {names[-1]}"
            )
        first = len(names) if name is None else names.index(name) if name else 0
        for position, layer in enumerate(self.cnn.layers):
            layer.trainable = position >= first
        if self.class_maps:
            self.class_maps.trainable = name is not None

    def build(self, input_shape):
        self.built = True

    def call(self, images, training=False):
        return self.annotate(images, self._cnn_of(training))

    def annotate(self, images, cnn: Callable):
        """Annotation vectors by a CNN in the place of the own one: (batch, locations, channels).

        Args:
            images: pixels, as `call` takes them.
            cnn: preprocessed pixels -> the tapped layers' outputs, as those of `self.cnn`.
        """
        annotations = self._appearance(images, cnn)
        if not self.class_maps:
            return annotations
        return ops.concatenate([annotations, self.class_maps.joined(annotations)], axis=-1)

    def appearance(self, images, training=False):
        """Annotation vectors as the CNN makes them, without class maps."""
        return self._appearance(images, self._cnn_of(training))

    def _cnn_of(self, training):
        return functools.partial(self.cnn, training=training and self.from_scratch)

    def _appearance(self, images, cnn):
        features = cnn(self._preprocess(ops.cast(images, "float32"), data_format="channels_last"))
        features = list(features) if isinstance(features, (list, tuple)) else [features]
        if self.config.coordinates:
            shape = (ops.shape(features[0])[0], *self.grid, 2)
            features.append(ops.broadcast_to(ops.cast(_coordinates(self.grid), features[0].dtype), shape))
        grid = ops.concatenate(features, axis=-1) if len(features) > 1 else features[0]
        return ops.reshape(grid, (-1, self.grid[0] * self.grid[1], grid.shape[-1]))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.grid[0] * self.grid[1], self.channels)
