"""Model folders of kind "keras": text and weights, never pickles; our own code builds the network.

models/<name>/  config.json  model.safetensors  vocabulary.txt  metrics.json  README.md  manifest.json
"""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any

import keras
import numpy as np

from captioner.config import ModelConfig
from captioner.errors import ModelError
from captioner.folders.finding import find_model
from captioner.folders.folder import read_common, verify, write_common, written_whole
from captioner.folders.weights import WEIGHTS, Weights, open_weights, write_weights
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from captioner.vocabulary import Vocabulary

RANDOM = ("Normal", "Uniform", "Scaling", "Orthogonal", "normal", "uniform", "scaling", "orthogonal")


def save_model(
    folder: str | os.PathLike, model: CaptionModel, vocabulary: Vocabulary, metrics: dict[str, Any], card: str
) -> pathlib.Path:
    """Write a model folder, whole or not at all; weights as float16.

    Args:
        folder: where; an older model there is replaced.
        metrics: what the model reached, JSON-ready.
        card: README.md of the folder.

    Raises:
        ModelError: a weight is not finite.
    """
    with written_whole(folder) as partial:
        numbers = {name: np.asarray(variable) for name, variable in named_weights(model).items()}
        write_weights(partial / WEIGHTS, numbers)
        write_common(partial, "keras", model.config, vocabulary, metrics, card)
    return pathlib.Path(folder)


def load_model(folder: str | os.PathLike) -> tuple[CaptionModel, Vocabulary, dict[str, Any]]:
    """Read a model folder of kind "keras": network with its weights, vocabulary, metrics.

    Raises:
        ModelError: a part is missing, damaged, or does not belong to the others, or the folder was exported.
    """
    folder = find_model(folder)
    kind = verify(folder)
    if kind != "keras":
        raise ModelError(f"{folder} is an exported model of kind {kind}; give the folder it was made from")
    config, vocabulary, metrics = read_common(folder)
    return build_model(folder, config, vocabulary), vocabulary, metrics


def build_model(folder: pathlib.Path, config: ModelConfig, vocabulary: Vocabulary) -> CaptionModel:
    """The network of a verified folder, with its weights.

    Raises:
        ModelError: the weights are not those of the configuration, or hold values that are not finite.
    """
    with open_weights(folder / WEIGHTS) as weights:
        # Before the network takes memory: a long vocabulary alone could ask for any amount of it.
        weights.check_words(len(vocabulary), config.decoder.embedding_size)
        model = _build_network(folder, config, vocabulary)
        fill(model, weights, folder / "config.json")
    return model


def fill(model: CaptionModel, weights: Weights, description: pathlib.Path) -> None:
    """Give a network the numbers of a file.

    Args:
        description: the file that describes the network, for errors.

    Raises:
        ModelError: they are not those of the network, or not finite.
    """
    variables = named_weights(model)
    weights.compare({name: tuple(variable.shape) for name, variable in variables.items()}, description)
    for name, variable in variables.items():
        variable.assign(weights.read(name).astype(np.float32))
    for layer in model.encoder.cnn.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def named_weights(model: CaptionModel) -> dict[str, keras.Variable]:
    """A network's weights by the names they have in a file, such as "encoder/block1a_dwconv/kernel".

    States of random generators and counters are no weights.

    Raises:
        ValueError: two weights share a name: a layer of the network was built outside its parent or lacks a name.
    """
    of_cnn = [
        (f"encoder/{name}/{_unnumbered(variable.path.rpartition(f'{layer.name}/')[2])}", variable)
        for name, layer in _named_layers(model.encoder.cnn)
        for variable in layer.variables
    ]
    ours = {id(variable) for _, variable in of_cnn}
    others = [
        (variable.path, variable)
        for variable in (*model.encoder.variables, *model.decoder.variables)
        if id(variable) not in ours
    ]
    named = [(name, v) for name, v in [*of_cnn, *others] if keras.backend.is_float_dtype(v.dtype)]
    weights = dict(named)
    if len(weights) < len(named):
        names = [name for name, _ in named]
        raise ValueError(f"two weights are named {next(name for name in names if names.count(name) > 1)!r}")
    return weights


def _unnumbered(name: str) -> str:
    """The name of a variable; Keras numbers those without one through the process."""
    return re.sub(r"^variable_\d+$", "variable", name)


def _named_layers(cnn: keras.Model) -> list[tuple[str, keras.layers.Layer]]:
    """Layers and their names; those that Keras numbered through the process are numbered through the network."""
    named, seen = [], {}
    for layer in cnn.layers:
        words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)
        kind = re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
        name = layer.name
        if re.fullmatch(rf"{kind}(_\d+)?", name):
            name = f"{kind}_{seen[kind]}" if kind in seen else kind
            seen[kind] = seen.get(kind, 0) + 1
        named.append((name, layer))
    return named


@keras.saving.register_keras_serializable(package="captioner")  # wrappers such as Bidirectional copy layers
class _Zeros(keras.initializers.Initializer):
    """Stands in for any initializer, whatever its arguments."""

    def __init__(self, **arguments):
        self.arguments = arguments

    def __call__(self, shape, dtype=None, **_):
        return keras.ops.zeros(shape, dtype)

    def get_config(self):
        return self.arguments


def without_random_numbers() -> keras.saving.CustomObjectScope:
    """A scope in which layers begin with zeros: drawing numbers for 400 layers takes seconds."""
    names = [name for name in dir(keras.initializers) if name.endswith(RANDOM)]
    return keras.saving.custom_object_scope(dict.fromkeys(names, _Zeros))


def _build_network(folder: pathlib.Path, config: ModelConfig, vocabulary: Vocabulary) -> CaptionModel:
    try:
        with without_random_numbers():
            encoder = Encoder(config.encoder, name="encoder")
            return CaptionModel(config, len(vocabulary), encoder)
    except Exception as error:  # a configuration can be valid and still describe nothing that Keras can build
        raise ModelError(f"{folder / 'config.json'} describes no network that can be built: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
