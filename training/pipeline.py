"""Batches for training: captions of one length on cached features, or pictures with all their captions."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Sequence

import keras
import numpy as np

from captioner.config import EncoderConfig
from captioner.vocabulary import END, PAD, START, Vocabulary, split_words
from training.datasets import Example
from training.features import Features, load_squares

BUCKETS = (7, 9, 11, 13, 15, 18, 25)


@dataclasses.dataclass(frozen=True)
class EncodedCaption:
    """Ids of one caption and, for those of its words that have any, their boxes: {time: [[l, t, r, b]]}."""

    picture: int
    ids: tuple[int, ...]
    boxes: dict[int, list[list[float]]]


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
            encoded.append(EncodedCaption(picture, tuple(ids), of_words))
    return encoded


def word_places(text: str) -> dict[int, int]:
    """Where the words of text.split() stand in split_words(text); those that are only punctuation are left out."""
    places: dict[int, int] = {}
    for position, word in enumerate(text.split()):
        if split_words(word):
            places[position] = len(places)
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


class _Batches(keras.utils.PyDataset):
    """Shared by both kinds of batches: order, padding and the layout Keras sees."""

    def __init__(self, captions, grid, seed, steps):
        super().__init__()
        self.captions, self.grid, self.seed, self.steps = captions, grid, seed, steps
        self.epoch = -1
        self.on_epoch_begin()

    def __len__(self) -> int:
        return len(self.batches)

    def on_epoch_begin(self) -> None:
        """A new order, which depends on the seed and the number of the epoch alone."""
        self.epoch += 1
        self.batches = self._arrange(np.random.default_rng((self.seed, self.epoch)))[: self.steps]

    def _padded_steps(self, index: int) -> int:
        """Time steps of a batch. Keras takes the shapes of batches 0 and 1 for those of all, so these two differ."""
        steps = self._steps(self.batches[index])
        return steps + (index == 1 and steps == self._steps(self.batches[0]))

    def _words(self, rows: list[list[EncodedCaption]], steps: int):
        """Inputs, targets and box shares of captions: (len(rows), captions of each, steps, ...)."""
        count = max(len(row) for row in rows)
        targets = np.full((len(rows), count, steps), PAD, np.int32)
        shares = np.zeros((len(rows), count, steps, self.grid[0] * self.grid[1]), np.float32)
        for i, row in enumerate(rows):
            for j, caption in enumerate(row):
                targets[i, j, : len(caption.ids)] = caption.ids
                for time, boxes in caption.boxes.items():
                    shares[i, j, time] = box_shares(boxes, self.grid)
        inputs = np.concatenate([np.full_like(targets[:, :, :1], START), targets[:, :, :-1]], axis=2)
        return inputs, {"targets": targets, "box_shares": shares}


class FeatureBatches(_Batches):
    """Captions of about one length, each with the cached annotation vectors of its picture.

    Batches are {"annotations": (size, locations, channels), "words": (size, 1, time)} and
    {"targets": (size, 1, time), "box_shares": (size, 1, time, locations)}. The last batch of a length is filled up
    with empty captions, which count for nothing.
    """

    def __init__(self, captions, features: Features, pictures: Sequence[int], grid, size, seed, steps=None):
        self.features, self.pictures, self.size = features, pictures, size
        super().__init__(captions, grid, seed, steps)

    def _arrange(self, rng):
        batches = []
        lengths = np.array([len(caption.ids) for caption in self.captions])
        buckets = np.searchsorted(BUCKETS, lengths)
        for bucket in np.unique(buckets):
            chosen = rng.permutation(np.flatnonzero(buckets == bucket))
            batches += [chosen[i : i + self.size] for i in range(0, len(chosen), self.size)]
        return [batches[i] for i in rng.permutation(len(batches))]

    def _steps(self, batch) -> int:
        longest = max(len(self.captions[i].ids) for i in batch)
        return next((steps for steps in BUCKETS if steps >= longest), longest)

    def __getitem__(self, index: int):
        chosen = [self.captions[i] for i in self.batches[index]]
        rows = [[caption] for caption in chosen] + [[]] * (self.size - len(chosen))
        words, targets = self._words(rows, self._padded_steps(index))
        annotations = self.features.take([self.pictures[caption.picture] for caption in chosen])
        empty = np.zeros((self.size - len(chosen), *annotations.shape[1:]), annotations.dtype)
        return {"annotations": np.concatenate([annotations, empty]).astype(np.float32), "words": words}, targets


class ImageBatches(_Batches):
    """Pictures with all their captions, for training the encoder: they share one encoding.

    Batches are {"images": uint8 (size, side, side, 3), "words": (size, captions, time)} and the targets of
    `FeatureBatches`.
    """

    def __init__(self, captions, examples: Sequence[Example], encoder: EncoderConfig, grid, size, seed, steps=None):
        self.examples, self.encoder, self.size = examples, encoder, size
        self.by_picture: list[list[EncodedCaption]] = [[] for _ in examples]
        for caption in captions:
            self.by_picture[caption.picture].append(caption)
        self.most = max(len(row) for row in self.by_picture)
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        super().__init__(captions, grid, seed, steps)

    def _arrange(self, rng):
        order = rng.permutation(len(self.examples))
        return [order[i : i + self.size] for i in range(0, len(order), self.size)]

    def _steps(self, batch) -> int:
        return max(len(caption.ids) for i in batch for caption in self.by_picture[i])

    def __getitem__(self, index: int):
        batch = self.batches[index]
        images = load_squares([self.examples[i].image for i in batch], self.encoder, self.pool)
        missing = self.size - len(batch)
        rows = [self.by_picture[i] for i in batch] + [[]] * missing
        words, targets = self._words(rows, self._padded_steps(index))
        pad = [(0, 0), (0, self.most - words.shape[1])]
        words = np.pad(words, [*pad, (0, 0)], constant_values=START)
        targets["targets"] = np.pad(targets["targets"], [*pad, (0, 0)])
        targets["box_shares"] = np.pad(targets["box_shares"], [*pad, (0, 0), (0, 0)])
        images = np.concatenate([images, np.zeros((missing, *images.shape[1:]), images.dtype)])
        return {"images": images, "words": words}, targets
