"""The parts of a training run that all of its stages share."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import pathlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import rich

from captioner.errors import ConfigError, ModelError
from captioner.folders.folder import read_json, write_json
from captioner.folders.keras_folder import load_model
from captioner.network.compiling import whole_steps
from captioner.network.encoder import Encoder
from captioner.network.model import CaptionModel
from captioner.vocabulary import Vocabulary, split_words
from training.config import Stage, TrainingConfig
from training.data.datasets import Example, of_split, read_boxes, read_dataset
from training.data.detections import Detections, Names, Nouns, read_detections
from training.data.features import Features, JoinedFeatures, extract, join_class_maps, load_squares
from training.data.imagined import ImaginedPictures
from training.data.pipeline import FeatureBatches, ImageBatches, Sampling, encode_captions, encode_texts, mirror_caption
from training.data.texts import read_texts
from training.data.word_vectors import load_word_vectors
from training.engine.checkpoint import first_difference
from training.engine.class_maps import train_class_maps
from training.engine.self_critical import SelfCriticalBatches
from training.hosts.group import ALONE, Hosts
from training.workdir import written

# Settings of a stage that shape its batches or its variables.
ORDER = (
    "batch_size",
    "captions_per_picture",
    "texts",
    "steps",
    "train_encoder_from",
    "objective",
    "samples",
    "baseline",
)


@dataclasses.dataclass(frozen=True)
class Teachers:
    """Files that a run may learn from besides pictures with captions.

    Attributes:
        boxes: people's boxes of words, for the loss on the attention.
        detections: what a detector saw, for class maps and for boxes of nouns.
        texts: captions without photos.
    """

    boxes: pathlib.Path | None = None
    detections: tuple[pathlib.Path, ...] = ()
    texts: tuple[pathlib.Path, ...] = ()


class Run:
    """The parts of one training run that all of its stages share."""

    def __init__(
        self,
        config: TrainingConfig,
        data: pathlib.Path,
        workdir: pathlib.Path,
        teachers: Teachers,
        hosts: Hosts = ALONE,
    ):
        self.config, self.workdir, self.hosts = config, pathlib.Path(workdir), hosts
        self._start = load_model(config.start_from) if config.start_from else None
        # Before the data: weights that cannot be had are told at once.
        with hosts.one_first():  # it may download them
            self.encoder = self._restored_encoder() if self._start else self._encoder()
        examples = read_dataset(data)
        self.train, self.all_dev = of_split(examples, "train"), of_split(examples, "dev")
        self.dev = self.all_dev[: config.validation_pictures]
        self.detections, nouns = self._detections(teachers)
        texts = [text for path in teachers.texts for text in read_texts(path)]
        self.vocabulary = self._vocabulary(texts)
        boxes = read_boxes(teachers.boxes) if teachers.boxes else None
        self.captions = encode_captions(self.train, self.vocabulary, config.max_words, boxes, nouns)
        self.texts = encode_texts(texts, self.vocabulary, config.max_words, nouns.names) if nouns else []
        with hosts.one_first():
            self._claim_workdir()
        boxed = sum(len(caption.boxes) for caption in self.captions)
        rich.print(
            f"{len(self.train)} pictures, {len(self.captions)} captions, {len(self.vocabulary)} words, "
            f"{boxed} words with boxes, {len(self.texts)} captions without photos; {len(self.dev)} dev pictures"
        )
        if self.encoder.class_maps and not self._start:  # the decoder of a model knows the maps that it has
            self._learn_class_maps()

    def _restored_encoder(self) -> Encoder:
        """Variables made frozen, as those of a loaded model are, never train on TensorFlow: a run makes its own."""
        loaded, config = self._start[0], self.config
        network = lambda model: model.model_dump(mode="json", exclude={"confidence"})  # it builds nothing
        difference = first_difference(network(loaded.config), network(config.model))
        if difference:
            raise ConfigError(f"{config.start_from} is another network: model.{difference}")
        encoder = Encoder(config.model.encoder, name="encoder")
        encoder.set_weights(loaded.encoder.get_weights())
        return encoder

    def _detections(self, teachers: Teachers) -> tuple[Detections | None, Nouns | None]:
        """What a detector saw, and the words that name it."""
        maps = self.config.model.encoder.class_maps
        if not teachers.detections:
            if maps and not self.config.start_from:
                raise ConfigError("model.encoder.class_maps learn from detections: give --detections FILE")
            if teachers.texts:
                raise ConfigError("--texts are learned by way of class maps: give --detections FILE as well")
            return None, None
        if not maps:
            raise ConfigError("--detections are for model.encoder.class_maps, which the configuration does not have")
        detections = read_detections(teachers.detections, maps.classes)
        return detections, Nouns(detections, Names(maps.classes))

    def _encoder(self) -> Encoder:
        """A new encoder, its CNN's weights from where the configuration says."""
        description, source = self.config.model.encoder, self.config.encoder_weights
        if not pathlib.Path(source).is_dir():
            weights = None if source == "none" else source
            return Encoder(description, weights, from_scratch=weights is None, name="encoder")
        given = load_model(source)[0].encoder
        without_maps = lambda config: config.model_dump(mode="json", exclude={"class_maps"})
        difference = first_difference(without_maps(given.config), without_maps(description))
        if difference:
            raise ConfigError(f"encoder_weights {source} has another encoder: model.encoder.{difference}")
        encoder = Encoder(description, name="encoder")
        encoder.cnn.set_weights(given.cnn.get_weights())
        return encoder

    def _learn_class_maps(self) -> None:
        """Class maps as the detections teach them, or as this run has learned them before."""
        path = self.workdir / "class_maps.weights.npz"
        if self.hosts.agree(path.exists):
            self._load_class_maps(path)
            return
        appearance = self._appearance(self.train)
        if self.hosts.leads:
            self._train_class_maps(path, appearance)
        self.hosts.wait()
        self._load_class_maps(path)

    def _load_class_maps(self, path: pathlib.Path) -> None:
        self.hosts.see([path])
        with np.load(path) as stored:
            self.encoder.class_maps.set_weights([stored[f"{i}"] for i in range(len(stored))])

    def _train_class_maps(self, path: pathlib.Path, appearance: Features) -> None:
        photos = [example.image.name for example in self.train]
        history = train_class_maps(
            self.encoder.class_maps,
            appearance,
            photos,
            self.detections,
            self.config.class_maps,
            self.config.seed,
        )
        rich.print("class maps: loss by epoch " + ", ".join(f"{loss:.3f}" for loss in history))
        with written(path) as partial, partial.open("wb") as file:
            weights = self.encoder.class_maps.get_weights()
            np.savez(file, **{f"{place}": values for place, values in enumerate(weights)})

    def _vocabulary(self, more: list[str]) -> Vocabulary:
        """The words of the training captions and texts, or those of the model that training starts from."""
        texts = itertools.chain((text for example in self.train for text in example.captions), more)
        if self._start is None:
            return Vocabulary.count(texts, self.config.min_count)
        vocabulary = self._start[1]
        words = [word for text in texts for word in split_words(text)]
        known = sum(word in vocabulary for word in words)
        rich.print(f"{self.config.start_from} knows {100 * known / max(len(words), 1):.1f} % of the training words")
        return vocabulary

    def model(self, stage: Stage) -> CaptionModel:
        """The network with the dropout of a stage, its encoder frozen as the stage asks."""
        self.encoder.set_trainable_from(stage.train_encoder_from)
        if stage.train_encoder_from is not None and not self.encoder.trainable_variables:
            raise ConfigError(
                f"train_encoder_from '{stage.train_encoder_from}' leaves no weights to train; name an earlier "
                "layer, or leave it out"
            )
        return self.network(stage, self.encoder)

    def network(self, stage: Stage, encoder: Encoder) -> CaptionModel:
        """The network with the dropout of a stage around an encoder, which is frozen as the stage asks."""
        encoder.set_trainable_from(stage.train_encoder_from)
        return CaptionModel(
            self.config.model,
            len(self.vocabulary),
            encoder,
            dropout=stage.dropout,
            input_dropout=stage.input_dropout,
            state_dropout=stage.state_dropout,
            seed=self.config.seed,
        )

    def identity(self, stage: Stage) -> dict[str, Any]:
        """What must not have changed for a stage to go on: the model, the data, the order of the data."""
        return {**self._identity(), "stage": {name: getattr(stage, name) for name in ORDER}}

    def _identity(self) -> dict[str, Any]:
        config = self.config
        return {
            "model": config.model.model_dump(mode="json"),
            "encoder_weights": config.encoder_weights,
            "start_from": config.start_from,
            "vocabulary": hashlib.sha256("\n".join(self.vocabulary.words).encode()).hexdigest()[:16],
            "captions": _digest(self.train, self.captions),
            "precision": config.precision,
            "seed": config.seed,
        }

    def _claim_workdir(self) -> None:
        """A folder belongs to one model and one data set; the first run in it writes down which."""
        path, mine = self.workdir / "run.json", self._identity()
        if not self.hosts.leads:
            self.hosts.see([path])
        if path.exists():
            difference = first_difference(read_json(path), mine)
            if difference:
                raise ModelError(
                    f"{self.workdir} holds another run: {difference}; choose another --workdir, or set that back"
                )
            return
        self.vocabulary.save(self.workdir / "vocabulary.txt")
        with written(path) as partial:
            write_json(partial, mine)

    def _appearance(self, examples: list[Example], mirrored: bool = False) -> Features:
        """Cached annotation vectors of pictures, without class maps."""
        images = [example.file for example in examples]
        return extract(self.encoder, images, self.workdir / "features", mirrored=mirrored, hosts=self.hosts)

    def features(self, examples: list[Example], mirrored: bool = False) -> Features | JoinedFeatures:
        """Cached annotation vectors of pictures, as the encoder gives them."""
        appearance = self._appearance(examples, mirrored)
        if not self.encoder.class_maps:
            return appearance
        return join_class_maps(self.encoder, appearance, self.workdir / "features", hosts=self.hosts)

    def batches(self, stage: Stage, network: CaptionModel, refresh: Callable[[], None] = lambda: None):
        """What a stage is fed.

        Args:
            stage: which.
            network: that draws captions, where the stage learns from its own.
            refresh: gives it the weights of now, where other variables are trained.
        """
        seed = self.config.seed
        if stage.objective == "self_critical":
            sampled = (stage.batch_size, stage.samples, stage.baseline, seed, stage.steps)
            of_train = self.features(self.train)
            return SelfCriticalBatches(network, self.vocabulary, self.train, of_train, *sampled, self.hosts, refresh)
        sampling = self._sampling(stage)
        mirrored = [mirror_caption(c, self.vocabulary) if stage.mirror else None for c in self.captions]
        common = (self.captions, mirrored, self.encoder.grid, sampling)
        if stage.train_encoder_from is None:
            of_mirrored = self.features(self.train, mirrored=True) if stage.mirror else None
            imagined = self._imagined() if stage.texts or stage.appearance_dropout else None
            of_train = self.features(self.train)
            return FeatureBatches(*common, of_train, of_mirrored, self.texts, imagined, self.hosts)
        return ImageBatches(*common, self.train, self.config.model.encoder, self.hosts)

    def _sampling(self, stage: Stage) -> Sampling:
        if stage.texts and not self.texts:
            raise ConfigError("stages.texts asks for captions without photos: give --texts FILE and --detections FILE")
        return Sampling(
            stage.batch_size,
            self.config.seed,
            stage.steps,
            stage.word_dropout,
            stage.mirror,
            stage.captions_per_picture,
            stage.appearance_dropout,
            stage.texts,
        )

    def _imagined(self) -> ImaginedPictures:
        if not self.detections:
            raise ConfigError("appearance_dropout leaves the class maps alone: give --detections FILE")
        return ImaginedPictures(self.detections, self.encoder.grid, self.encoder.channels)

    def start(self, network: CaptionModel) -> None:
        """Give the first stage the weights it starts from."""
        if self._start:
            network.decoder.set_weights(self._start[0].decoder.get_weights())
        if self.config.word_vectors:
            self._load_word_vectors(network)

    def _load_word_vectors(self, network: CaptionModel) -> None:
        table = keras.ops.convert_to_numpy(network.decoder.embedding).copy()
        vectors = load_word_vectors(self.config.word_vectors, self.vocabulary, table.shape[1])
        table[list(vectors)] = list(vectors.values())
        network.decoder.embedding.assign(table)
        rich.print(f"{len(vectors)} of {len(self.vocabulary)} words start from {self.config.word_vectors}")

    def best_so_far(self) -> float:
        """CIDEr-D of the model in `workdir`/best; -1 where there is none."""
        path = self.workdir / "best" / "metrics.json"
        return json.loads(path.read_text(encoding="utf-8"))["dev"]["cider_d"] if path.exists() else -1.0

    def dev_annotations(self, stage: Stage):
        """Annotation vectors of dev pictures `start` to `stop`, cached where the encoder is frozen."""
        if stage.train_encoder_from is None:
            features = self.features(self.all_dev)
            return lambda start, stop: features.take(range(start, min(stop, len(self.dev)))).astype(np.float32)
        size = self.encoder.config.image_size
        encode = keras.Sequential([keras.Input((size, size, 3), dtype="uint8"), self.encoder])
        encode.compile(jit_compile=whole_steps())
        paths = [example.image for example in self.dev]
        return lambda start, stop: encode.predict_on_batch(load_squares(paths[start:stop], self.encoder.config))


def _digest(examples: list[Example], captions: list) -> str:
    """Hash of the pictures' names and of what was made of their captions."""
    digest = hashlib.sha256(json.dumps([example.image.name for example in examples]).encode())
    for caption in captions:
        digest.update(repr(dataclasses.astuple(caption)).encode())
    return digest.hexdigest()[:16]
