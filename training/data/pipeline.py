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
from training.data.detections import Names, Nouns
from training.data.features import Features, load_squares
from training.data.imagined import ImaginedPictures
from training.hosts.group import ALONE, Hosts

BUCKETS = (7, 9, 11, 13, 15, 18, 25, 35, 50, 70, 101)  # time steps of a batch; each has a graph of its own
MIRRORING, WORDS, IMAGES, HIDDEN = 1, 2, 3, 4  # what a batch draws, each from a generator of its own
IMAGINED = -1  # the picture of a caption that has none
NO_BOXES: dict[int, list[list[float]]] = {}  # of most captions of most data sets; one for all of them


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedCaption:
    """Ids of one caption and, for those of its words that have any, their boxes: {time: [[l, t, r, b]]}.

    A caption without a photo has the picture `IMAGINED` and, in place of boxes, the classes its words name.
    """

    picture: int
    ids: tuple[int, ...]
    boxes: dict[int, list[list[float]]]
    named: dict[int, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Sampling:
    """What batches draw at random, and in which order they come.

    Attributes:
        size: captions of a batch, or pictures.
        seed: of everything that is drawn.
        steps: batches of an epoch; None is all of them.
        word_dropout: share of the words the decoder reads that are replaced by the unknown word.
        mirror: share of the captions, or pictures, that are shown mirrored.
        captions_per_picture: captions of a picture that share its annotation vectors, on cached features.
        appearance_dropout: share of the pictures, on cached features, of which the class maps alone are shown.
        texts: captions without photos in an epoch.
    """

    size: int
    seed: int = 0
    steps: int | None = None
    word_dropout: float = 0.0
    mirror: float = 0.0
    captions_per_picture: int = 1
    appearance_dropout: float = 0.0
    texts: int = 0


def encode_captions(
    examples: Sequence[Example],
    vocabulary: Vocabulary,
    max_words: int,
    boxes: dict[str, list[dict]] | None = None,
    nouns: Nouns | None = None,
) -> list[EncodedCaption]:
    """All captions of the examples as ids.

    Args:
        examples: pictures with captions.
        vocabulary: the words that have ids.
        max_words: a longer caption is cut, and has no end symbol then, since it does not end there.
        boxes: people's boxes of words, see `training.data.datasets.boxes`.
        nouns: a detector's boxes of nouns, for those that people did not box.
    """
    encoded = []
    for picture, example in enumerate(examples):
        phrases = {entry["text"]: entry["phrases"] for entry in (boxes or {}).get(example.image.name, [])}
        for text in example.captions:
            words = split_words(text)
            places = word_places(text)
            of_words = nouns.boxes(example.image.name, words[:max_words]) if nouns else {}
            of_words |= {
                places[phrase["word"]]: phrase["boxes"]
                for phrase in phrases.get(text, [])
                if places.get(phrase["word"], max_words) < max_words
            }
            encoded.append(EncodedCaption(picture, caption_ids(words, vocabulary, max_words), of_words or NO_BOXES))
    return encoded


def encode_texts(texts: Iterable[str], vocabulary: Vocabulary, max_words: int, names: Names) -> list[EncodedCaption]:
    """Captions without photos as ids, with the classes they name; those that name none teach nothing here."""
    encoded = []
    for text in texts:
        words = split_words(text)
        named = names.find(words[:max_words])
        if named:
            encoded.append(EncodedCaption(IMAGINED, caption_ids(words, vocabulary, max_words), NO_BOXES, named))
    return encoded


def caption_ids(words: list[str], vocabulary: Vocabulary, max_words: int) -> tuple[int, ...]:
    """Ids of a caption and its end; a longer one than `max_words` is cut, and has no end then."""
    return tuple([*vocabulary.encode(words), END][: max_words + (len(words) <= max_words)])


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
    batches it would have had. Where several hosts train, each gets its rows of the same batch, which is drawn whole.

    Args:
        captions: all training captions.
        mirrored: the same of the mirrored pictures, None where a caption is not to be mirrored.
        grid: rows and columns of the attention.
        sampling: how they are drawn.
        hosts: that share a batch.
    """

    ahead = True  # a batch may be made while the one before it is trained on

    def __init__(
        self,
        captions: Sequence[EncodedCaption],
        mirrored: Sequence[EncodedCaption | None],
        grid: tuple[int, int],
        sampling: Sampling,
        hosts: Hosts = ALONE,
    ):
        self.captions, self.mirrored, self.grid, self.sampling, self.hosts = captions, mirrored, grid, sampling, hosts
        hosts.share(sampling.size)  # refused before the first step rather than in it
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
        """Inputs, targets and box shares of this host's captions: (rows of its share, captions of each, steps, ...)."""
        count, mine = max(len(row) for row in rows), self.hosts.share(len(rows))
        targets = np.full((len(rows), count, steps), PAD, np.int32)
        for i, row in enumerate(rows):
            for j, caption in enumerate(row):
                targets[i, j, : len(caption.ids)] = caption.ids
        shares = np.zeros((len(targets[mine]), count, steps, self.grid[0] * self.grid[1]), np.float32)
        for i, row in enumerate(rows[mine]):
            for j, caption in enumerate(row):
                for time, boxes in caption.boxes.items():
                    shares[i, j, time] = box_shares(boxes, self.grid)
        read = targets[:, :, :-1]
        if self.sampling.word_dropout:
            dropped = self._draw(index, WORDS).random(read.shape) < self.sampling.word_dropout
            read = np.where(dropped & (read != PAD), UNKNOWN, read)
        inputs = np.concatenate([np.full_like(targets[:, :, :1], START), read], axis=2)
        return inputs[mine], {"targets": targets[mine], "box_shares": shares}


class FeatureBatches(Batches):
    """Captions of about one length, each with the cached annotation vectors of its picture.

    Batches are {"annotations": (rows, locations, channels), "words": (rows, captions, time)} and
    {"targets": (rows, captions, time), "box_shares": (rows, captions, time, locations)}, where rows times captions is
    the size of a batch: captions of one picture and of about one length share its annotation vectors, as many as
    `Sampling.captions_per_picture`. The last batch of a length is filled up with empty captions, which count for
    nothing. Captions without photos come in batches of their own, one a row.

    Args:
        features: annotation vectors of the pictures.
        mirrored_features: of the mirrored pictures, where captions are mirrored.
        texts: captions without photos.
        imagined: draws pictures for them; its class maps are the last channels.
    """

    def __init__(
        self,
        captions,
        mirrored,
        grid,
        sampling,
        features: Features,
        mirrored_features: Features | None = None,
        texts: Sequence[EncodedCaption] = (),
        imagined: ImaginedPictures | None = None,
        hosts: Hosts = ALONE,
    ):
        self.features, self.mirrored_features = features, mirrored_features
        self.texts, self.imagined = texts, imagined
        self.groups = _groups(captions, sampling.captions_per_picture)
        super().__init__(captions, mirrored, grid, sampling, hosts)

    def _arrange(self, rng):
        together = self.sampling.captions_per_picture
        batches = self._of_one_length(self.groups, self.captions, self.sampling.size // together, rng)
        if self.sampling.texts:
            count = min(self.sampling.texts, len(self.texts))
            chosen = rng.choice(len(self.texts), count, replace=False)
            singles = [(-1 - place,) for place in chosen]  # below nought: of `texts`
            batches += self._of_one_length(singles, self.texts, self.sampling.size, rng)
        return [batches[i] for i in rng.permutation(len(batches))]

    @staticmethod
    def _of_one_length(groups, captions, rows: int, rng) -> list[list[tuple[int, ...]]]:
        """Groups of captions in batches of `rows`, all of a batch in one bucket of `BUCKETS`."""
        lengths = np.array([max(len(captions[i if i >= 0 else -1 - i].ids) for i in group) for group in groups])
        buckets = np.searchsorted(BUCKETS, lengths)
        batches = []
        for bucket in np.unique(buckets):
            chosen = rng.permutation(np.flatnonzero(buckets == bucket))
            batches += [[groups[i] for i in chosen[start : start + rows]] for start in range(0, len(chosen), rows)]
        return batches

    def __getitem__(self, index: int):
        batch = self.batches[index]
        if batch[0][0] < 0:
            return self._imagined(index, [self.texts[-1 - place] for (place,) in batch])
        flips = self._flips(index, [all(self.mirrored[i] is not None for i in group) for group in batch])
        together = self.sampling.captions_per_picture
        rows = [
            [(self.mirrored if flip else self.captions)[i] for i in group]
            for group, flip in zip(batch, flips, strict=True)
        ]
        size = self.sampling.size // together
        mine = self.hosts.share(size)
        annotations = np.zeros((mine.stop - mine.start, *self.features.shape), np.float32)
        for place, (row, flip) in enumerate(zip(rows[mine], flips[mine], strict=True)):
            annotations[place] = (self.mirrored_features if flip else self.features)[row[0].picture]
        if self.sampling.appearance_dropout:
            hidden = self._draw(index, HIDDEN).random(size) < self.sampling.appearance_dropout
            annotations[hidden[mine], :, : self.imagined.appearance] = 0
        return self._filled(index, rows, size, annotations, together)

    def _imagined(self, index: int, captions: list[EncodedCaption]):
        """A batch of captions without photos."""
        draw, annotations, rows = self._draw(index, IMAGES), [], []
        for caption in captions:
            picture, boxes = self.imagined.draw(caption.named, draw)
            annotations.append(picture)
            rows.append([dataclasses.replace(caption, boxes=boxes)])
        size = self.sampling.size
        annotations = np.pad(np.stack(annotations), [(0, size - len(rows)), (0, 0), (0, 0)])
        return self._filled(index, rows, size, annotations[self.hosts.share(size)], 1)

    def _filled(self, index: int, rows: list[list[EncodedCaption]], size: int, annotations: np.ndarray, together: int):
        """The arrays of a batch of `size` rows, with empty captions where there are too few."""
        steps = next(steps for steps in BUCKETS if steps >= max(len(c.ids) for row in rows for c in row))
        words, targets = self._words(index, rows + [[]] * (size - len(rows)), steps)
        missing = [(0, 0), (0, together - words.shape[1])]
        words = np.pad(words, [*missing, (0, 0)], constant_values=START)
        targets["targets"] = np.pad(targets["targets"], [*missing, (0, 0)])
        targets["box_shares"] = np.pad(targets["box_shares"], [*missing, (0, 0), (0, 0)])
        return {"annotations": annotations, "words": words}, targets


def _groups(captions: Sequence[EncodedCaption], together: int) -> list[tuple[int, ...]]:
    """Places of captions, up to `together` of one picture in a group, those of about one length."""
    of_picture: dict[int, list[int]] = {}
    for place, caption in enumerate(captions):
        of_picture.setdefault(caption.picture, []).append(place)
    if together == 1:
        return [(place,) for place in range(len(captions))]
    groups = []
    for places in of_picture.values():
        places.sort(key=lambda place: len(captions[place].ids))
        groups += [tuple(places[i : i + together]) for i in range(0, len(places), together)]
    return groups


class ImageBatches(Batches):
    """Pictures with all their captions, for training the encoder: they share one encoding.

    Batches are {"images": uint8 (size, side, side, 3), "words": (size, captions, time)} and the targets of
    `FeatureBatches`.

    Args:
        examples: the pictures.
        encoder: how they are read.
    """

    def __init__(
        self, captions, mirrored, grid, sampling, examples: Sequence[Example], encoder: EncoderConfig, hosts=ALONE
    ):
        self.examples, self.encoder = examples, encoder
        self.by_picture: list[list[int]] = [[] for _ in examples]
        for place, caption in enumerate(captions):
            self.by_picture[caption.picture].append(place)
        self.captioned = np.array([picture for picture, row in enumerate(self.by_picture) if row])
        self.most = max(len(row) for row in self.by_picture)
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        super().__init__(captions, mirrored, grid, sampling, hosts)

    def _arrange(self, rng):
        order, size = rng.permutation(self.captioned), self.sampling.size
        return [order[i : i + size] for i in range(0, len(order), size)]

    def __getitem__(self, index: int):
        batch, size = self.batches[index], self.sampling.size
        flips = self._flips(
            index, [all(self.mirrored[place] is not None for place in self.by_picture[i]) for i in batch]
        )
        images = self._images(batch, flips)
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
        return {"images": images, "words": words}, targets

    def _images(self, batch: np.ndarray, flips: np.ndarray) -> np.ndarray:
        """This host's squares of a batch, empty ones where it has too few."""
        mine = self.hosts.share(self.sampling.size)
        side = self.encoder.image_size
        images = np.zeros((mine.stop - mine.start, side, side, 3), np.uint8)
        here, flipped = batch[mine], flips[mine]
        if len(here):
            images[: len(here)] = load_squares([self.examples[i].image for i in here], self.encoder, self.pool)
            images[: len(here)][flipped] = images[: len(here)][flipped, :, ::-1]
        return images


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
