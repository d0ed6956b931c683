"""What a user calls: photos in, captions with masks out."""

from __future__ import annotations

import collections
import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from PIL import Image

from captioner.caption import Caption, Word
from captioner.confidence import rate_words
from captioner.config import ModelConfig, decoding_options
from captioner.errors import CaptionerError, ConfigError, ImageError, ModelError
from captioner.evidence import Evidence, ranked
from captioner.folders.finding import find_model
from captioner.folders.folder import EVIDENCE, verify
from captioner.pictures.geometry import network_square
from captioner.pictures.reading import Source, in_hand, read_picture
from captioner.requiring import Groups, caption_with, captions_with, known_choices, split_choices
from captioner.runtimes.ahead import encode_ahead, read_ahead
from captioner.runtimes.base import Runtime
from captioner.runtimes.choosing import load_runtime
from captioner.search import in_numpy
from captioner.search.controls import IMPOSSIBLE, Controls
from captioner.sources import each_picture
from captioner.vocabulary import END, START, Vocabulary, split_words

if TYPE_CHECKING:
    from captioner.network.model import CaptionModel

KEPT = 8  # pictures whose encoding is kept


class Captioner:
    """A trained model, ready to caption.

    Make one with `Captioner.from_pretrained(folder)`.

    Args:
        runtime: what runs the model.
        name: of its folder.
        folder: where the model lies; None for a network in memory.
        evidence: what pictures say of words, where the model was calibrated with it.

    Attributes:
        config: how the network is built.
        vocabulary: the words it knows.
        grid: rows and columns of its masks.
        metrics: what it reached, as written in its folder.
        name: of its folder; empty for a network in memory.
    """

    def __init__(
        self,
        runtime: Runtime,
        name: str = "",
        folder: pathlib.Path | None = None,
        evidence: Evidence | None = None,
    ):
        self._runtime, self._process, self.name, self._folder = runtime, os.getpid(), name, folder
        self.config: ModelConfig = runtime.config
        self.vocabulary: Vocabulary = runtime.vocabulary
        self.grid: tuple[int, int] = runtime.grid
        self.metrics: dict[str, Any] = runtime.metrics
        self._evidence = evidence
        confidence = runtime.config.confidence
        self._confidence = confidence if evidence or not (confidence and confidence.needs_evidence) else None
        self._encodings: collections.OrderedDict[bytes, Any] = collections.OrderedDict()

    @property
    def runtime(self) -> Runtime:
        """What runs the model.

        Raises:
            CaptionerError: this process was forked from the one that loaded it; a network's threads are not forked
                along, and it would wait for them for ever.
        """
        if os.getpid() != self._process:
            raise CaptionerError(
                "this captioner was loaded before the process was forked, and would hang; start processes with "
                "multiprocessing's method 'spawn', or load the model in each"
            )
        return self._runtime

    @classmethod
    def from_pretrained(cls, folder: str | os.PathLike, runtime: str = "auto", threads: int | None = None) -> Self:
        """Read a model folder or one that `captioner.export` wrote; a bare name means models/<name> of this checkout.

        Args:
            folder: the model.
            runtime: what runs it: "onnx" (onnxruntime, which starts at once), "keras" or "saved_model"; "auto" takes
                onnxruntime where it is installed and the folder holds graphs for it. Captions don't depend on it.
            threads: that onnxruntime computes with; None takes all cores. Other runtimes have settings of their own.

        Raises:
            ModelError: there is none, or a part of it is missing or damaged.
            ConfigError: the folder cannot be run so.
        """
        folder = find_model(folder)
        runs = load_runtime(folder, runtime, threads)
        evidence = Evidence.load(folder, runs.vocabulary)
        if runs.config.confidence and runs.config.confidence.needs_evidence and not evidence:
            raise ModelError(f"{folder / EVIDENCE} is missing, which config.json rates words by; copy the folder again")
        return cls(runs, folder.resolve().name, folder, evidence)

    @classmethod
    def of(cls, model: CaptionModel, vocabulary: Vocabulary, metrics: dict[str, Any] | None = None) -> Self:
        """A captioner of a Keras network in memory."""
        from captioner.runtimes.keras_model import KerasRuntime

        return cls(KerasRuntime(model, vocabulary, metrics))

    @functools.cached_property
    def model(self) -> CaptionModel:
        """The Keras network; where another runtime captions, it is loaded when it is first asked for.

        Raises:
            ConfigError: the model was exported and has none.
        """
        if hasattr(self.runtime, "model"):
            return self.runtime.model
        if verify(self._folder) != "keras":
            raise ConfigError("an exported model holds no Keras network; load the folder it was made from")
        from captioner.runtimes.keras_model import KerasRuntime

        return KerasRuntime.load(self._folder).model

    def caption(self, image: Source, count: int | None = None, **options) -> Caption | list[Caption]:
        """Caption one picture.

        Args:
            image: path, bytes, open file, PIL image, or uint8 array (height, width[, 3]).
            count: how many captions; None gives one, a number a list of at most so many, the best first.
            **options: fields of `DecodingOptions`, such as beam_width=5.

        Raises:
            ImageError: it cannot be read as a picture.
            ConfigError: an option is unknown or out of range.
        """
        options |= {} if count is None else {"count": count}
        groups, options = self._choices(options)
        image = in_hand(image)
        if groups:
            return caption_with(self, image, groups, options)
        chosen = self._controls(options)
        picture = read_picture(image)
        encoded = self._encode(picture.image)
        found, weight = self._search(encoded, chosen)
        known = self._known(encoded, 0)
        captions = self.read(found, 0, image, picture.size, chosen.options.count, known=known, weight=weight)
        return captions[0] if count is None else captions

    def captions(
        self, images: Iterable[Source] | Source, batch_size: int = 16, **options
    ) -> Iterator[Caption | CaptionerError]:
        """Caption many pictures, in their order, with memory that does not grow with their number.

        A picture that cannot be read gives its `ImageError` in its place, and the rest goes on.

        Args:
            images: pictures as in `caption`, and folders, whose photos come in the order of their names, with those of
                the folders within; or a single one of these. `Caption.source` says which photo a caption is of.
            batch_size: pictures that go through the network together.
            **options: fields of `DecodingOptions` but count.

        Raises:
            ConfigError: an option is unknown or out of range, before the first picture is read.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size is 1 or more. Received: {batch_size}")
        if options.get("count", 1) != 1:
            raise ConfigError("captions gives one caption a picture; use caption(picture, count=…) for more")
        groups, options = self._choices(options)
        if groups:
            return captions_with(self, each_picture(images), groups, {**options, "batch_size": batch_size})
        return self._captions(each_picture(images), batch_size, self._controls(options))

    def _captions(self, images, batch_size, controls):
        for batch, encoded in encode_ahead(self.runtime, read_ahead(self._read_square, images, batch_size)):
            yield from self._caption_batch(batch, encoded, controls)

    def _read_square(self, image: Source | CaptionerError):
        if isinstance(image, CaptionerError):
            return image
        try:
            picture = read_picture(image)
            return self._square(picture.image), picture.size
        except ImageError as error:
            return error

    def _caption_batch(self, batch, encoded, controls) -> list[Caption | CaptionerError]:
        good = [(image, *read) for image, read in batch if not isinstance(read, CaptionerError)]
        captions = iter(())
        if good:
            found, weight = self._search(encoded, controls)
            known = [self._known(encoded, row) for row in range(len(good))]
            read_one = lambda row, image, _, size: self.read(found, row, image, size, 1, None, known[row], weight)[0]
            captions = iter([read_one(row, *of_picture) for row, of_picture in enumerate(good)])
        return [read if isinstance(read, CaptionerError) else next(captions) for _, read in batch]

    def annotations(self, squares: np.ndarray) -> np.ndarray:
        """Annotation vectors (batch, locations, channels) of the network's squares, uint8 (batch, size, size, 3).

        Raises:
            ConfigError: the model was exported by a version whose encoders gave no annotation vectors.
        """
        return _annotations(self.runtime.encode(squares))

    def score(self, image: Source, text: str) -> Caption:
        """The caption of given words, teacher-forced: their probabilities, and where the network looks at each.

        A word that the vocabulary lacks is scored as unknown, keeps its text, and its `known` is false: training met
        unknown words often, so a caption of them may score better than one of words that are known.

        Raises:
            ImageError: the picture cannot be read.
            ConfigError: the text holds no word.
        """
        words = split_words(text)
        if not words:
            raise ConfigError(f"score needs at least one word. Received: {text!r}")
        image = in_hand(image)
        picture = read_picture(image)
        encoded = self._encode(picture.image)
        found = self.runtime.score(encoded, self.vocabulary.encode(words), self._controls({}))
        return self.read(found, 0, image, picture.size, 1, words, self._known(encoded, 0))[0]

    def stream(self, image: Source, **options) -> Iterator[Caption]:
        """The caption of one picture, growing word by word; the last one's score has the end included.

        Args:
            image: picture as in `caption`.
            **options: fields of `DecodingOptions`; strategy is "greedy", the default, or "sample".

        Raises:
            ImageError: it cannot be read as a picture.
            ConfigError: an option is unknown, out of range, or asks for another strategy.
        """
        image, controls = in_hand(image), self._controls({"strategy": "greedy", **options})
        if controls.options.strategy not in ("greedy", "sample") or controls.required or controls.options.count > 1:
            raise ConfigError(
                "stream writes one word after the other: strategy is 'greedy' or 'sample', count 1, without "
                f"required_words. Received: strategy '{controls.options.strategy}'"
            )
        picture = read_picture(image)
        return self._stream(image, picture.size, self._encode(picture.image), controls)

    def _stream(self, source: Source, size, encoded, controls: Controls) -> Iterator[Caption]:
        memory, state = self.runtime.start(encoded)
        chance, known = controls.chance()[0], self._known(encoded, 0)
        word, ids, words, total = START, [], [], 0.0
        while word != END:
            log_probabilities, state, outputs = self.runtime.step(np.array([[word]], np.int32), state, memory)
            log_probabilities = in_numpy.added_up(log_probabilities, controls)
            values = in_numpy.possible(log_probabilities[0, 0], len(ids), controls)
            allowed = in_numpy.allowed(values, ids, controls)
            word = END if len(ids) == controls.max_words else in_numpy.draw(allowed, controls, float(chance[len(ids)]))
            log_probability = float(log_probabilities[0, 0, word])
            total += log_probability
            if word != END:
                ids.append(word)
                of_slot = {name: value[0, 0] for name, value in outputs.items()}
                at = in_numpy.record(values, word, log_probability, of_slot)
                words.append(self._word(at, self.vocabulary.words[word]))
            yield self._caption(words, total / (len(words) + (word == END)), source, size, known)

    def _choices(self, options: dict[str, Any]) -> tuple[Groups, dict[str, Any]]:
        """Groups of words of which captions hold one each, seen to be possible with the other options."""
        groups, options = split_choices(options)
        if groups:
            words = [group[0] for group in known_choices(self.vocabulary, groups)]
            self._controls({**options, "required_words": (*options["required_words"], *words)})
        return groups, options

    def _controls(self, values: dict[str, Any]) -> Controls:
        decoder = self.config.decoder
        return Controls.resolve(decoding_options(decoder, values), self.vocabulary, decoder.max_words)

    def _square(self, picture: Image.Image) -> np.ndarray:
        return network_square(picture, self.config.encoder.image_size, self.config.encoder.resize)

    def _encode(self, picture: Image.Image) -> Any:
        """One picture for the runtime; the last few are kept, since a photo is often asked about more than once."""
        square = self._square(picture)
        key = hashlib.sha256(square).digest()
        encoded = self._encodings.pop(key, None)  # in one operation each, so that threads may share a captioner
        if encoded is None:
            encoded = self.runtime.encode(square[None])
        self._encodings[key] = encoded
        while len(self._encodings) > KEPT:
            self._encodings.popitem(last=False)
        return encoded

    def _search(self, encoded: Any, controls: Controls) -> tuple[dict[str, np.ndarray], float]:
        """What a search finds, and the weight of what pictures say where its captions are ranked."""
        options, model = controls.options, self._confidence
        if options.evidence and not self._evidence:
            raise ConfigError("evidence asks what pictures say of words, which this model was not calibrated with")
        weight = (model.ranking if model else 0.0) if options.evidence is None else options.evidence
        if options.strategy != "beam" or not weight:
            return self.runtime.search(encoded, controls), 0.0
        # All that are kept have to be settled, or those behind the first would depend on the pictures beside them.
        every = dataclasses.replace(controls, options=options.model_copy(update={"count": options.width}))
        return self.runtime.search(encoded, every), weight

    def _known(self, encoded: Any, row: int) -> np.ndarray | None:
        """What picture `row` says of each word of the vocabulary, where the model was calibrated with that."""
        return self._evidence.read(_annotations(encoded)[row]) if self._evidence else None

    def read(
        self,
        found,
        row: int,
        source: Source,
        size,
        count: int,
        texts: list[str] | None = None,
        known: np.ndarray | None = None,
        weight: float = 0.0,
    ) -> list[Caption]:
        """Captions of picture `row` out of the tensors of `captioner.search.in_graph`."""
        captions = []
        for rank in ranked(found, row, known, weight)[:count]:
            total, length = float(found["log_probability"][row, rank]), int(found["length"][row, rank])
            if captions and total < IMPOSSIBLE / 2:
                break
            of_caption = {name: values[row, rank] for name, values in found.items() if values.ndim > 2}
            words = texts or self.vocabulary.decode(of_caption["words"][:length])
            seen = [
                self._word({name: values[time] for name, values in of_caption.items()}, text)
                for time, text in enumerate(words)
            ]
            captions.append(self._caption(seen, total / (length + 1), source, size, known))
        return captions

    def _caption(
        self, words: Sequence[Word], score: float, source: Source, size: tuple[int, int], known: np.ndarray | None
    ) -> Caption:
        """A caption of these words, with its confidence where the model is calibrated."""
        model = self._confidence
        rated = rate_words(model, words, self.vocabulary, known) if model else tuple(words)
        return Caption(rated, score, source, size, self.config.encoder.resize, model.threshold if model else None)

    def _word(self, at: dict[str, np.ndarray], text: str) -> Word:
        grid = self.grid
        alternatives = zip(
            self.vocabulary.decode(at["alternatives"]), np.exp(at["alternative_log_probabilities"]), strict=True
        )
        return Word(
            text=text,
            known=text in self.vocabulary,
            probability=float(np.exp(at["word_log_probabilities"])),
            mask=at["weights"].reshape(grid),
            alternatives=tuple((word, float(probability)) for word, probability in alternatives),
            gate=float(at["gate"]) if "gate" in at else None,
            sentinel=float(at["sentinel"]) if "sentinel" in at else None,
            heads=at["heads"].reshape(-1, *grid) if "heads" in at else None,
        )


def _annotations(encoded: Any) -> np.ndarray:
    """The annotation vectors of what a runtime has encoded.

    Raises:
        ConfigError: the model was exported by a version whose encoders gave none.
    """
    if isinstance(encoded, dict) and "annotations" not in encoded:
        raise ConfigError("the exported model gives no annotation vectors; export it again")
    return encoded["annotations"] if isinstance(encoded, dict) else encoded
