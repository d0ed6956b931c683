"""The description of a training run: one TOML file is one experiment."""

from __future__ import annotations

import json
import pathlib
import tomllib
from typing import Annotated, Any, Literal, Self

import pydantic

from captioner.config import Config, ModelConfig
from captioner.errors import ConfigError

NOT_SELF_CRITICAL = (
    "word_dropout",
    "scheduled_sampling",
    "mirror",
    "box_weight",
    "doubly_stochastic",
    "texts",
    "appearance_dropout",
)

MOST = 10**9  # of whatever is counted: a number of hundreds of digits is a slip
Path = Annotated[str, pydantic.Field(min_length=1, pattern=r"^[^\x00]*$")]


class Stage(Config):
    """One stretch of training; a run is a list of them, each starting from the best weights of the one before.

    Attributes:
        epochs: passes over the training captions.
        train_encoder_from: None freezes the encoder and trains on cached features; a layer's name trains the
            encoder from it on; "" trains all of it.
        batch_size: captions in a step on cached features; pictures, each with all its captions, where the encoder
            is trained.
        learning_rate: highest rate; it rises over the first `warm_up` share of the steps and falls as a cosine to
            `final_rate` times itself.
        encoder_rate: rate of the encoder's weights as a multiple of `learning_rate`.
        weight_decay: of AdamW, on matrices only.
        clip_norm: largest global norm of the gradient.
        ema: momentum of the moving average of the weights that is evaluated and kept; 0 turns it off.
        dropout, input_dropout, state_dropout: see `captioner.network.decoder.BaseDecoder`.
        label_smoothing: share of the target probability spread over all words.
        doubly_stochastic: lambda of Xu et al. 2015, equation 14; see `training.engine.losses`.
        box_weight: weight of the loss that draws attention into the boxes of words, where the data has boxes.
        sharpen: what the scores of the attention are multiplied by before the stage begins; above 1 for sharper masks.
        word_dropout: share of the words the decoder reads that are replaced by the unknown word.
        scheduled_sampling: share of the words the decoder reads that it has drawn itself; rises from 0 to this over
            the stage (Bengio et al. 2015).
        mirror: share of the captions, or pictures, that are shown mirrored, "left" and "right" changing places.
        objective: "cross_entropy", or "self_critical", which raises CIDEr-D of captions the model draws (Rennie et
            al. 2017) on cached features; the dropouts are best 0 then, as nothing is dropped while it draws.
        samples: captions drawn of a picture by "self_critical"; `batch_size` then counts pictures.
        baseline: what "self_critical" measures them against: "greedy", or the other "samples" of the picture.
        captions_per_picture: captions of a picture, of about one length, that share its annotation vectors in a step on
            cached features.
        texts: captions without photos in an epoch, of those given by --texts; the decoder reads class maps of what they
            name.
        appearance_dropout: share of the pictures, on cached features, of which the decoder sees the class maps alone.
        steps: an epoch ends after so many steps; None is a whole pass. The next epoch has a new order.
        patience: epochs without a better CIDEr-D after which the stage ends.
    """

    epochs: int = pydantic.Field(ge=1, le=MOST)
    train_encoder_from: str | None = None
    batch_size: int = pydantic.Field(80, ge=1, le=65536)
    learning_rate: float = pydantic.Field(4e-4, gt=0)
    final_rate: float = pydantic.Field(0.02, ge=0, le=1)
    warm_up: float = pydantic.Field(0.02, ge=0, lt=1)
    encoder_rate: float = pydantic.Field(1.0, gt=0)
    weight_decay: float = pydantic.Field(1e-4, ge=0)
    clip_norm: float = pydantic.Field(5.0, gt=0)
    ema: float = pydantic.Field(0.998, ge=0, lt=1)
    dropout: float = pydantic.Field(0.5, ge=0, lt=1)
    input_dropout: float = pydantic.Field(0.0, ge=0, lt=1)
    state_dropout: float = pydantic.Field(0.0, ge=0, lt=1)
    label_smoothing: float = pydantic.Field(0.1, ge=0, lt=1)
    doubly_stochastic: float = pydantic.Field(0.0, ge=0)
    box_weight: float = pydantic.Field(0.0, ge=0)
    sharpen: float = pydantic.Field(1.0, gt=0)
    word_dropout: float = pydantic.Field(0.0, ge=0, lt=1)
    scheduled_sampling: float = pydantic.Field(0.0, ge=0, le=1)
    mirror: float = pydantic.Field(0.0, ge=0, le=1)
    objective: Literal["cross_entropy", "self_critical"] = "cross_entropy"
    samples: int = pydantic.Field(5, ge=1, le=20)
    baseline: Literal["greedy", "samples"] = "greedy"
    captions_per_picture: int = pydantic.Field(1, ge=1, le=100)
    texts: int = pydantic.Field(0, ge=0, le=MOST)
    appearance_dropout: float = pydantic.Field(0.0, ge=0, lt=1)
    steps: int | None = pydantic.Field(None, ge=1, le=MOST)
    patience: int = pydantic.Field(100, ge=1, le=MOST)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.objective == "self_critical":
            if self.train_encoder_from is not None:
                raise ValueError("self_critical trains on cached features; leave train_encoder_from out")
            used = [name for name in NOT_SELF_CRITICAL if getattr(self, name)]
            if used:
                raise ValueError(f"{used[0]} belongs to objective cross_entropy; leave it out or set it to 0")
            if self.baseline == "samples" and self.samples < 2:
                raise ValueError("baseline 'samples' compares a picture's samples; samples is 2 or more")
        return self


class ClassMapsTraining(Config):
    """How the class maps of an encoder are learned from detections, before the first stage.

    Attributes:
        epochs: passes over the photos.
        batch_size: photos in a step.
        learning_rate: highest rate of AdamW; it falls as half a cosine.
    """

    epochs: int = pydantic.Field(4, ge=1)
    batch_size: int = pydantic.Field(64, ge=1)
    learning_rate: float = pydantic.Field(2e-3, gt=0)


class TrainingConfig(Config):
    """Everything a run needs besides its data.

    Attributes:
        model: the network.
        encoder_weights: "imagenet" (downloaded by Keras), a file of weights, a model folder whose CNN is taken over, or
            "none" to train the encoder from scratch.
        class_maps: how class maps are learned, where the encoder has any and --detections are given.
        start_from: a model folder whose weights and vocabulary the first stage starts from; `model` must be the same
            network. None starts anew, with a vocabulary of the training captions.
        word_vectors: a text file of word vectors, "word number number …" a line as GloVe's are (Pennington et al.
            2014), which the embedding starts from where it has the word; None starts from random ones.
        min_count: words seen less often in the training captions are unknown.
        max_words: longer training captions are cut.
        precision: a Keras dtype policy, such as "float32" or "mixed_bfloat16".
        seed: of weights, order and dropout.
        validation_pictures: how many dev pictures each epoch is judged on.
        validation_beam_width: and with which beam.
        checkpoint_steps: steps between two checkpoints within an epoch; None writes one after each epoch alone.
        stages: stretches of training, in order.
    """

    model: ModelConfig
    encoder_weights: Path = "imagenet"
    class_maps: ClassMapsTraining = ClassMapsTraining()
    start_from: Path | None = None
    word_vectors: Path | None = None
    min_count: int = pydantic.Field(5, ge=1, le=MOST)
    max_words: int = pydantic.Field(24, ge=1, le=100)
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    seed: int = pydantic.Field(0, ge=0, lt=2**32)
    validation_pictures: int = pydantic.Field(1000, ge=1, le=MOST)
    validation_beam_width: int = pydantic.Field(3, ge=1, le=20)
    checkpoint_steps: int | None = pydantic.Field(None, ge=1, le=MOST)
    stages: tuple[Stage, ...] = pydantic.Field(min_length=1)


def load_config(path: str | pathlib.Path, changes: list[str] | None = None) -> TrainingConfig:
    """Read a TOML file and apply `section.key=value` changes.

    `stages.0.epochs=2` changes the first stage, `stages.epochs=2` every one.

    Raises:
        ConfigError: no such file, not TOML, or a key or value that is wrong.
    """
    try:
        values = tomllib.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    for change in changes or []:
        key, equals, text = change.partition("=")
        if not equals:
            raise ConfigError(f"--set takes section.key=value. Received: {change!r}")
        _set(values, key.split("."), _plain(text))
    return TrainingConfig.parse(values)


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _set(values: Any, keys: list[str], value: Any, path: str = "") -> None:
    """Change one value in nested dicts and lists; a name where a number of a list is due means all of its entries."""
    key, rest = keys[0], keys[1:]
    here = f"{path}.{key}" if path else key
    if isinstance(values, list):
        for place in _places(values, key, path):
            if not key.isdecimal():
                _set(values[place], keys, value, path)
            elif rest:
                _set(values[place], rest, value, here)
            else:
                values[place] = value
    elif not isinstance(values, dict) or not key:
        raise ConfigError(f"--set {here}={value!r}: there is no section '{path}'; settings are named section.key")
    elif rest:
        _set(values.setdefault(key, {}), rest, value, here)
    else:
        values[key] = value


def _places(values: list, key: str, path: str) -> range:
    """The entries of a list that a key names."""
    if not key.isdecimal():
        return range(len(values))
    if len(key) > 9 or int(key) >= len(values):
        last = f"{path}.0 is the only one" if len(values) == 1 else f"{path} run from 0 to {len(values) - 1}"
        raise ConfigError(f"--set {path}.{key}: there is no '{key}' to change; {last}")
    return range(int(key), int(key) + 1)
