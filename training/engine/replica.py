"""The network that several hosts train, beside the one on which each of them judges it by itself."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import keras
import numpy as np

from captioner.errors import ModelError
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from training.hosts.group import Hosts


def replica(network: CaptionModel, build: Callable[[Encoder], CaptionModel], hosts: Hosts) -> CaptionModel:
    """The same network with variables that all hosts hold alike; the network itself where one process trains.

    Args:
        network: of this process.
        build: makes another such network around an encoder.
        hosts: that train.

    Raises:
        ModelError: they have made different networks of the same seed and files.
    """
    if hosts.count == 1:
        return network
    digests = hosts.gather(_digest(network))
    if len(set(digests)) > 1:
        odd = next(index for index, digest in enumerate(digests) if digest != digests[0])
        raise ModelError(
            f"host {odd} begins with other weights than host 0; give all of them the same kind of machine, the same "
            "libraries and the same files of weights"
        )
    with hosts.scope():
        encoder = Encoder(network.encoder.config, from_scratch=network.encoder.from_scratch, name="encoder")
        trained = build(encoder)
        copy_weights(network, trained)
    trained.decoder.unrolled = network.decoder.unrolled
    return trained


def _digest(network: CaptionModel) -> str:
    digest = hashlib.sha256()
    for weight in network.weights:
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)))
    return digest.hexdigest()


def copy_weights(source: CaptionModel, target: CaptionModel) -> None:
    """Give a network the weights of another of its kind."""
    for here, there in zip(target.weights, source.weights, strict=True):
        here.assign(np.array(keras.ops.convert_to_numpy(there)))


def averaged_copy(network: CaptionModel) -> Callable[[keras.Model], contextlib.AbstractContextManager]:
    """For `Loop`: gives `network`, of this process alone, the moving average of what a trainer's has."""

    @contextlib.contextmanager
    def averaged(trainer: keras.Model) -> Iterator[None]:
        optimizer = getattr(trainer.optimizer, "inner_optimizer", trainer.optimizer)
        averages = {}
        if optimizer.use_ema:
            pairs = zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True)
            averages = {id(weight): average for weight, average in pairs}
        for here, there in zip(network.weights, trainer.model.weights, strict=True):
            here.assign(np.array(keras.ops.convert_to_numpy(averages.get(id(there), there))))
        yield

    return averaged
