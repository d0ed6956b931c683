"""Batches for training: captions of one length on cached features, or pictures with all their captions."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from captioner.config import EncoderConfig
from captioner.vocabulary import END, PAD, START, UNKNOWN, Vocabulary, split_words
from training.data.augment import mirror_boxes, mirror_words
from training.data.datasets import Example
from training.data.features import Features, load_squares

BUCKETS = (7, 9, 11, 13, 15, 18, 25, 35, 50, 70, 101)  # time steps of a batch; each has a graph of its own
MIRRORING, WORDS = 1, 2  # what a batch draws, each from a generator of its own
NO_BOXES: dict[int, list[list[float]]] = {}  # of most captions of most data sets; one for all of them


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedCaption:
    """Ids of one caption and, for those of its words that have any, their boxes: {time: [[l, t, r, b]]}."""

    picture: int
    ids: tuple[int, ...]
    boxes: dict[int, list[list[float]]]


@dataclasses.dataclass(frozen=True)
class Sampling:
    """What batches draw at random, and in which order they come.

    Attributes:
        size: captions of a batch, or pictures.
        seed: of everything that is drawn.
        steps: batches of an epoch; None is all of them.
        word_dropout: share of the words the decoder reads that are replaced by the unknown word.
        mirror: share of the captions, or pictures, that are shown mirrored.
    """

    size: int
    seed: int = 0
    steps: int | None = None
    word_dropout: float = 0.0
    mirror: float = 0.0


def encode_captions(
    examples: Sequence[Example], vocabulary: Vocabulary, max_words: int, boxes: dict[str, list[dict]] | None = None
) -> list[EncodedCaption]:
    """All captions of the examples as ids; one cut at `max_words` has no end symbol, since it does not end there."""
    encoded = []
    for picture, example in enumerate(examples):
        phrases = {entry["text"]: entry["phrases"] for entry in (boxes or {}).get(example.image.name, [])}
        for text in example.captions:
            words = split_words(text)
            ids = [*vocabulary.encode(words), END][: max_words + (len(words) <= max_words)]
            places = word_places(text)
            of_words = {
                places[phrase["word"]]: phrase["boxes"]
                for phrase in phrases.get(text, [])
                if places.get(phrase["word"], max_words) < max_words
            }
            encoded.append(EncodedCaption(picture, tuple(ids), of_words or NO_BOXES))
    return encoded


def mirror_caption(caption: EncodedCaption, vocabulary: Vocabulary) -> EncodedCaption | None:
    """The caption as it is true of the mirrored picture; None where that cannot be told, see `data.augment`."""
    words = mirror_words(vocabulary.decode(caption.ids))
    if words is None:
        return None
    boxes = {time: mirror_boxes(of_word) for time, of_word in caption.boxes.items()}
    return EncodedCaption(caption.picture, tuple(vocabulary.encode(words)), boxes)


def word_places(text: str) -> dict[int, int]:
    """Where the words of text.split() stand in split_words(text); those that are only punctuation are left out."""
    places: dict[int, int] = {}
    before = 0
    for position, word in enumerate(text.split()):
        if count := len(split_words(word)):
            places[position] = before
            before += count
    return places


def box_shares(boxes: Sequence[Sequence[float]], grid: tuple[int, int]) -> np.ndarray:
    """Share of each cell of the grid that lies in one of the boxes: float32 (rows * columns,)."""
    fine = 8
    rows, columns = grid
    inside = np.zeros((rows * fine, columns * fine), np.float32)
    for left, top, right, bottom in boxes:
        y0, x0 = int(top * rows * fine), int(left * columns * fine)
        inside[y0 : max(round(bottom * rows * fine), y0 + 1), x0 : max(round(right * columns * fine), x0 + 1)] = 1
    return inside.reshape(rows, fine, columns, fine).mean((1, 3)).ravel()


class Batches:
    """Shared by all kinds of batches: order, padding and the layout of what a step takes.

    `batches[i]` depends on the seed, the number of the epoch and i alone, so that a run that was cut goes on with the
    batches it would have had.

    Args:
        captions: all training captions.
        mirrored: the same of the mirrored pictures, None where a caption is not to be mirrored.
        grid: rows and columns of the attention.
        sampling: how they are drawn.
    """

    ahead = True  # a batch may be made while the one before it is trained on

    def __init__(
        self,
        captions: Sequence[EncodedCaption],
        mirrored: Sequence[EncodedCaption | None],
        grid: tuple[int, int],
        sampling: Sampling,
    ):
        self.captions, self.mirrored, self.grid, self.sampling = captions, mirrored, grid, sampling
        self.begin_epoch(0)

    def __len__(self) -> int:
        return len(self.batches)

    def begin_epoch(self, epoch: int) -> None:
        """The order of an epoch."""
        self.epoch = epoch
        order = np.random.default_rng((self.sampling.seed, epoch))
        self.batches = self._arrange(order)[: self.sampling.steps]

    def _draw(self, index: int, what: int) -> np.random.Generator:
        """What batch `index` of this epoch draws from."""
        return np.random.default_rng((self.sampling.seed, self.epoch, what, index))

    def _padded(self, captions: Iterable[int]) -> int:
        """Time steps of a batch of captions."""
        longest = max(len(self.captions[place].ids) for place in captions)
        return next(steps for steps in BUCKETS if steps >= longest)

    def _flips(self, index: int, possible: Sequence[bool]) -> np.ndarray:
        """Which of the entries of a batch are mirrored."""
        chances = self._draw(index, MIRRORING).random(len(possible))
        return (chances < self.sampling.mirror) & np.asarray(possible, bool)

    def _words(self, index: int, rows: list[list[EncodedCaption]], steps: int):
        """Inputs, targets and box shares of captions: (len(rows), captions of each, steps, ...)."""
        count = max(len(row) for row in rows)
        targets = np.full((len(rows), count, steps), PAD, np.int32)
        shares = np.zeros((len(rows), count, steps, self.grid[0] * self.grid[1]), np.float32)
        for i, row in enumerate(rows):
            for j, caption in enumerate(row):
                targets[i, j, : len(caption.ids)] = caption.ids
                for time, boxes in caption.boxes.items():
                    shares[i, j, time] = box_shares(boxes, self.grid)
        read = targets[:, :, :-1]
        if self.sampling.word_dropout:
            dropped = self._draw(index, WORDS).random(read.shape) < self.sampling.word_dropout
            read = np.where(dropped & (read != PAD), UNKNOWN, read)
        inputs = np.concatenate([np.full_like(targets[:, :, :1], START), read], axis=2)
        return inputs, {"targets": targets, "box_shares": shares}


class FeatureBatches(Batches):
    """Captions of about one length, each with the cached annotation vectors of its picture.

    Batches are {"annotations": (size, locations, channels), "words": (size, 1, time)} and
    {"targets": (size, 1, time), "box_shares": (size, 1, time, locations)}. The last batch of a length is filled up
    with empty captions, which count for nothing.

    Args:
        features: annotation vectors of the pictures.
        mirrored_features: those of the mirrored pictures, where some are to be shown.
    """

    def __init__(
        self, captions, mirrored, grid, sampling, features: Features, mirrored_features: Features | None = None
    ):
        self.features, self.mirrored_features = features, mirrored_features
        super().__init__(captions, mirrored, grid, sampling)

    def _arrange(self, rng):
        batches, size = [], self.sampling.size
        lengths = np.array([len(caption.ids) for caption in self.captions])
        buckets = np.searchsorted(BUCKETS, lengths)
        for bucket in np.unique(buckets):
            chosen = rng.permutation(np.flatnonzero(buckets == bucket))
            batches += [chosen[i : i + size] for i in range(0, len(chosen), size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def __getitem__(self, index: int):
        batch = self.batches[index]
        flips = self._flips(index, [self.mirrored[i] is not None for i in batch])
        chosen = [(self.mirrored if flip else self.captions)[i] for i, flip in zip(batch, flips, strict=True)]
        rows = [[caption] for caption in chosen] + [[]] * (self.sampling.size - len(chosen))
        words, targets = self._words(index, rows, self._padded(batch))
        annotations = np.zeros((self.sampling.size, *self.features.shape), np.float32)
        for place, (caption, flip) in enumerate(zip(chosen, flips, strict=True)):
            annotations[place] = (self.mirrored_features if flip else self.features)[caption.picture]
        return {"annotations": annotations, "words": words}, targets


class ImageBatches(Batches):
    """Pictures with all their captions, for training the encoder: they share one encoding.

    Batches are {"images": uint8 (size, side, side, 3), "words": (size, captions, time)} and the targets of
    `FeatureBatches`.

    Args:
        examples: the pictures.
        encoder: how they are read.
    """

    def __init__(self, captions, mirrored, grid, sampling, examples: Sequence[Example], encoder: EncoderConfig):
        self.examples, self.encoder = examples, encoder
        self.by_picture: list[list[int]] = [[] for _ in examples]
        for place, caption in enumerate(captions):
            self.by_picture[caption.picture].append(place)
        self.most = max(len(row) for row in self.by_picture)
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        super().__init__(captions, mirrored, grid, sampling)

    def _arrange(self, rng):
        order, size = rng.permutation(len(self.examples)), self.sampling.size
        return [order[i : i + size] for i in range(0, len(order), size)]

    def __getitem__(self, index: int):
        batch, size = self.batches[index], self.sampling.size
        images = load_squares([self.examples[i].image for i in batch], self.encoder, self.pool)
        flips = self._flips(
            index, [all(self.mirrored[place] is not None for place in self.by_picture[i]) for i in batch]
        )
        images[flips] = images[flips, :, ::-1]
        missing = size - len(batch)
        rows = [
            [(self.mirrored if flip else self.captions)[place] for place in self.by_picture[i]]
            for i, flip in zip(batch, flips, strict=True)
        ]
        words, targets = self._words(
            index, rows + [[]] * missing, self._padded(place for i in batch for place in self.by_picture[i])
        )
        pad = [(0, 0), (0, self.most - words.shape[1])]
        words = np.pad(words, [*pad, (0, 0)], constant_values=START)
        targets["targets"] = np.pad(targets["targets"], [*pad, (0, 0)])
        targets["box_shares"] = np.pad(targets["box_shares"], [*pad, (0, 0), (0, 0)])
        images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
        return {"images": images, "words": words}, targets


def upcoming(batches: Batches, first: int = 0) -> Iterator[tuple[dict, dict]]:
    """The batches of an epoch from the first one on, each made while the one before it is trained on."""
    places = range(first, len(batches))
    if not batches.ahead:
        yield from map(batches.__getitem__, places)
        return
    with concurrent.futures.ThreadPoolExecutor(1) as reader:
        following = reader.submit(batches.__getitem__, places[0])
        for place in places:
            batch = following.result()
            if place + 1 in places:
                following = reader.submit(batches.__getitem__, place + 1)
            yield batch
