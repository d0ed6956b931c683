"""The same CNN with less to compute: batch normalisations are multiplied into the convolutions before them."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from captioner.network.encoder import Encoder

CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def folded(cnn: keras.Model) -> keras.Model:
    """A copy of a CNN that answers the same, for networks whose weights stay as they are.

    With its stored statistics a batch normalisation multiplies each channel and adds to it. Where nothing else reads
    the convolution before it, the kernel and a bias can do both, and a runtime fuses what follows with the convolution.

    Args:
        cnn: a functional model.

    Returns:
        A model that takes and gives what `cnn` does with training=False.
    """
    pairs = _pairs(cnn)
    norms = {norm.name for norm in pairs.values()}

    def copied(layer):
        bias = {"use_bias": True} if layer.name in pairs else {}
        return type(layer).from_config({**layer.get_config(), **bias})

    def called(layer, *inputs, **options):
        return inputs[0] if layer.name in norms else layer(*inputs, **options)

    copy = keras.models.clone_model(cnn, clone_function=copied, call_function=called)
    for layer in copy.layers:
        if layer.variables:
            source = cnn.get_layer(layer.name)
            layer.set_weights(_merged(source, pairs[layer.name]) if layer.name in pairs else source.get_weights())
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return copy


def _pairs(cnn: keras.Model) -> dict[str, keras.layers.BatchNormalization]:
    """Names of convolutions, and the batch normalisation that alone reads each of them."""
    outputs = {id(output) for output in cnn.outputs}
    readers: dict[int, list] = {}
    for operation in cnn.operations:
        if not isinstance(operation, keras.layers.InputLayer):
            for tensor in keras.tree.flatten(operation.input):
                readers.setdefault(id(tensor), []).append(operation)
    pairs = {}
    for layer in cnn.layers:
        if isinstance(layer, CONVOLUTIONS) and layer.activation is keras.activations.linear:
            reading = readers.get(id(layer.output), [])
            of_norm = len(reading) == 1 and isinstance(reading[0], keras.layers.BatchNormalization)
            if of_norm and id(layer.output) not in outputs and reading[0].axis in (-1, 3):
                pairs[layer.name] = reading[0]
    return pairs


def _merged(layer: keras.layers.Layer, norm: keras.layers.BatchNormalization) -> list[np.ndarray]:
    """Kernel and bias of a convolution that does what its batch normalisation did."""
    array = lambda value: np.asarray(ops.convert_to_numpy(value), np.float64)
    factor = (array(norm.gamma) if norm.scale else 1.0) / np.sqrt(array(norm.moving_variance) + norm.epsilon)
    bias = (array(layer.bias) if layer.use_bias else 0.0) - array(norm.moving_mean)
    kernel = array(layer.kernel)
    of_filters = factor.reshape(kernel.shape[2:]) if isinstance(layer, keras.layers.DepthwiseConv2D) else factor
    return [kernel * of_filters, bias * factor + (array(norm.beta) if norm.center else 0.0)]


class FoldedEncoder(keras.layers.Layer):
    """What an `Encoder` answers, computed with its folded CNN.

    Args:
        encoder: it, with weights that stay as they are.

    Input and output: those of `Encoder`.
    """

    def __init__(self, encoder: Encoder, **kwargs):
        super().__init__(**kwargs)
        self.cnn, self.class_maps = folded(encoder.cnn), encoder.class_maps
        self._annotate, self.compute_output_shape = encoder.annotate, encoder.compute_output_shape
        self.built = True

    def call(self, images):
        return self._annotate(images, self.cnn)
