"""What a user calls: photos in, captions with masks out."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from PIL import Image

from captioner.caption import Caption, Word
from captioner.config import DecodingOptions, ModelConfig
from captioner.errors import CaptionerError, ConfigError, ImageError
from captioner.image import Source, network_square, open_image
from captioner.quiet import load_keras
from captioner.vocabulary import END, START, Vocabulary, split_words

load_keras()

import keras

from captioner.decoding import ALTERNATIVES, IMPOSSIBLE, Scorer, Searcher, Stepper
from captioner.model import CaptionModel
from captioner.store import load_model


class Captioner:
    """A trained model, ready to caption.

    Make one with `Captioner.from_pretrained(folder)`.

    Attributes:
        config: how the network is built.
        model: the network itself.
        vocabulary: the words it knows.
        metrics: what it reached, as written in its folder.
    """

    def __init__(self, model: CaptionModel, vocabulary: Vocabulary, metrics: dict[str, Any] | None = None):
        self.model = model
        self.vocabulary = vocabulary
        self.metrics = metrics or {}
        size = self.config.encoder.image_size
        self._encode = keras.Sequential([keras.Input((size, size, 3), dtype="uint8"), model.encoder])
        self._encode.compile(jit_compile=False)
        self._searchers: dict[DecodingOptions, Searcher] = {}
        self._scorer = Scorer(model.decoder)
        self._stepper = Stepper(model.decoder)

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike) -> Self:
        """Read a model folder; a bare name means models/<name> of this checkout.

        Raises:
            ModelError: there is none, or a part of it is missing or damaged.
        """
        return cls(*load_model(folder))

    @property
    def config(self) -> ModelConfig:
        return self.model.config

    def caption(self, image: Source, count: int | None = None, **options) -> Caption | list[Caption]:
        """Caption one picture.

        Args:
            image: path, bytes, PIL image, or uint8 array (height, width[, 3]).
            count: how many captions; None gives one, a number a list of at most so many, the best first.
            **options: fields of `DecodingOptions`, such as beam_width=5.

        Raises:
            ImageError: it cannot be read as a picture.
            ConfigError: an option is unknown or out of range.
        """
        chosen = self._options({**options, **({} if count is None else {"count": count})})
        picture = open_image(image)
        found = self._search(self._squares([picture]), chosen)
        captions = self._read(found, 0, image, picture.size, chosen.count)
        return captions[0] if count is None else captions

    def captions(self, images: Iterable[Source], batch_size: int = 16, **options) -> Iterator[Caption | CaptionerError]:
        """Caption many pictures, in their order, with memory that does not grow with their number.

        A picture that cannot be read gives its `ImageError` in its place, and the rest goes on.

        Args:
            images: pictures as in `caption`.
            batch_size: pictures that go through the network together.
            **options: fields of `DecodingOptions` but count.

        Raises:
            ConfigError: an option is unknown or out of range, before the first picture is read.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size is 1 or more. Received: {batch_size}")
        return self._captions(iter(images), batch_size, self._options(options))

    def _captions(self, images, batch_size, options):
        with concurrent.futures.ThreadPoolExecutor(2) as readers:
            read = lambda: [
                (image, readers.submit(self._read_square, image)) for image in itertools.islice(images, batch_size)
            ]
            batch = read()
            while batch:
                following = read()
                yield from self._caption_batch([(image, reading.result()) for image, reading in batch], options)
                batch = following

    def _read_square(self, image: Source):
        try:
            picture = open_image(image)
            return self._square(picture), picture.size
        except ImageError as error:
            return error

    def _caption_batch(self, batch, options) -> list[Caption | CaptionerError]:
        good = [(image, *read) for image, read in batch if not isinstance(read, ImageError)]
        captions = iter(())
        if good:
            found = self._search(np.stack([square for _, square, _ in good]), options)
            captions = iter([self._read(found, i, image, size, 1)[0] for i, (image, _, size) in enumerate(good)])
        return [read if isinstance(read, ImageError) else next(captions) for _, read in batch]

    def annotations(self, squares: np.ndarray) -> np.ndarray:
        """Annotation vectors (batch, locations, channels) of the network's squares, uint8 (batch, size, size, 3)."""
        return self._encode.predict_on_batch(squares)

    def score(self, image: Source, text: str) -> Caption:
        """The caption of given words, teacher-forced: their probabilities, and where the network looks at each.

        A word that the vocabulary lacks is scored as unknown and keeps its text.

        Raises:
            ImageError: the picture cannot be read.
            ConfigError: the text holds no word.
        """
        words = split_words(text)
        if not words:
            raise ConfigError(f"score needs at least one word. Received: {text!r}")
        picture = open_image(image)
        annotations = self.annotations(self._squares([picture]))
        ids = np.array([self.vocabulary.encode(words)], np.int32)
        found = self._scorer.predict_on_batch({"annotations": annotations, "words": ids})
        return self._read(found, 0, image, picture.size, 1, words)[0]

    def stream(self, image: Source, **options) -> Iterator[Caption]:
        """The greedy caption of one picture, growing word by word; the last one's score has the end included.

        Raises:
            ImageError: it cannot be read as a picture.
            ConfigError: an option is unknown, out of range, or asks for another strategy.
        """
        chosen = self._options({"strategy": "greedy", **options})
        if chosen.strategy != "greedy":
            raise ConfigError(
                f"stream writes one word after the other: strategy is 'greedy'. Received: {chosen.strategy!r}"
            )
        picture = open_image(image)
        return self._stream(image, picture.size, self.annotations(self._squares([picture])), chosen)

    def _stream(self, source: Source, size, annotations: np.ndarray, options: DecodingOptions) -> Iterator[Caption]:
        state = self.model.decoder.initial_state(annotations, 1)
        word, words, total = START, [], 0.0
        longest = options.max_words or self.config.decoder.max_words
        while word != END:
            inputs = {"annotations": annotations, "words": np.array([[word]], np.int32), "state": state}
            log_probabilities, state, outputs = self._stepper.predict_on_batch(inputs)
            allowed = log_probabilities[0, 0].copy()
            if len(words) < options.min_words:
                allowed[END] = IMPOSSIBLE
            word = END if len(words) == longest else int(allowed.argmax())
            total += float(log_probabilities[0, 0, word])
            if word != END:
                likeliest = np.argsort(-allowed)[:ALTERNATIVES]
                at = {name: value[0, 0] for name, value in outputs.items()} | {
                    "word_log_probabilities": allowed[word],
                    "alternatives": likeliest,
                    "alternative_log_probabilities": allowed[likeliest],
                }
                words.append(self._word(at, self.vocabulary.words[word]))
            yield Caption(tuple(words), total / (len(words) + (word == END)), source, size, self.config.encoder.resize)

    def _options(self, values: dict[str, Any]) -> DecodingOptions:
        options = DecodingOptions.parse(values)
        longest = options.max_words or self.config.decoder.max_words
        if options.min_words > longest:
            raise ConfigError(f"min_words {options.min_words} is more than the {longest} words a caption may have")
        return options

    def _square(self, picture: Image.Image) -> np.ndarray:
        return network_square(picture, self.config.encoder.image_size, self.config.encoder.resize)

    def _squares(self, pictures: list[Image.Image]) -> np.ndarray:
        return np.stack([self._square(picture) for picture in pictures])

    def _search(self, squares: np.ndarray, options: DecodingOptions) -> dict[str, np.ndarray]:
        if options not in self._searchers:
            longest = options.max_words or self.config.decoder.max_words
            self._searchers[options] = Searcher(self.model.decoder, options, longest)
        return self._searchers[options].predict_on_batch(self.annotations(squares))

    def _read(self, found, row: int, source: Source, size, count: int, texts: list[str] | None = None) -> list[Caption]:
        """Captions of picture `row` out of the tensors of `captioner.decoding`."""
        captions = []
        for rank in range(count):
            total, length = float(found["log_probability"][row, rank]), int(found["length"][row, rank])
            if rank and total < IMPOSSIBLE / 2:
                break
            of_caption = {name: values[row, rank] for name, values in found.items() if values.ndim > 2}
            words = texts or self.vocabulary.decode(of_caption["words"][:length])
            captions.append(
                Caption(
                    tuple(
                        self._word({name: values[time] for name, values in of_caption.items()}, text)
                        for time, text in enumerate(words)
                    ),
                    total / (length + 1),
                    source,
                    size,
                    self.config.encoder.resize,
                )
            )
        return captions

    def _word(self, at: dict[str, np.ndarray], text: str) -> Word:
        grid = self.model.encoder.grid
        alternatives = zip(
            self.vocabulary.decode(at["alternatives"]), np.exp(at["alternative_log_probabilities"]), strict=True
        )
        return Word(
            text=text,
            probability=float(np.exp(at["word_log_probabilities"])),
            mask=at["weights"].reshape(grid),
            alternatives=tuple((word, float(probability)) for word, probability in alternatives),
            gate=float(at["gate"]) if "gate" in at else None,
            sentinel=float(at["sentinel"]) if "sentinel" in at else None,
            heads=at["heads"].reshape(-1, *grid) if "heads" in at else None,
        )
