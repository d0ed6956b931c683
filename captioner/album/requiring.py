"""Captions that hold one word of each of several groups, such as "dog|puppy"."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from captioner.caption import Caption
from captioner.errors import CaptionerError, ConfigError
from captioner.vocabulary import Vocabulary

MOST_CHOICES = 64  # searches for one photo

Photo = str | os.PathLike
Groups = Sequence[Sequence[str]]


class Captioning(Protocol):
    """What an album takes of a `captioner.Captioner`."""

    vocabulary: Vocabulary

    def caption(self, image, **options) -> Caption: ...

    def captions(self, images, **options) -> Iterator[Caption | CaptionerError]: ...


def parse_groups(texts: Sequence[str]) -> Groups:
    """Groups of words out of texts such as "dog|puppy".

    Raises:
        ConfigError: a text holds no word, several words between two bars, or all groups too many.
    """
    groups = []
    for text in texts:
        group = list(dict.fromkeys(word.strip().lower() for word in text.split("|") if word.strip()))
        if not group or any(len(word.split()) > 1 for word in group):
            raise ConfigError(
                f"required words are single ones with | between them, such as dog|puppy. Received: {text!r}"
            )
        groups.append(group)
    choices = 1
    for group in groups:
        choices *= len(group)
    if choices > MOST_CHOICES:
        raise ConfigError(f"required words make {choices} choices; {MOST_CHOICES} is the most that are tried")
    return groups


def captions_with(
    captioner: Captioning, photos: Iterable[Photo], groups: Groups, options: dict
) -> Iterator[Caption | CaptionerError]:
    """`Captioner.captions` in which every caption holds a word of each group.

    A caption that holds them anyway stays; for another photo each choice of words is searched with, and the
    likeliest caption is taken.

    Raises:
        ConfigError: the vocabulary has no word of a group, or an option is wrong.
    """
    known = [[word for word in group if word in captioner.vocabulary] for group in groups]
    for group, words in zip(known, groups, strict=True):
        if not group:
            raise ConfigError(f"the model knows none of the required words {'|'.join(words)}")
    waiting: collections.deque[Photo] = collections.deque()

    def watched():
        for photo in photos:
            waiting.append(photo)
            yield photo

    for answer in captioner.captions(watched(), **options):
        photo = waiting.popleft()
        if isinstance(answer, Caption) and not _holds(answer, known):
            answer = _best(captioner, photo, known, options)
        yield answer


def _holds(caption: Caption, groups: Groups) -> bool:
    words = {word.text for word in caption.words}
    return all(words.intersection(group) for group in groups)


def _best(captioner: Captioning, photo: Photo, groups: Groups, options: dict) -> Caption | CaptionerError:
    try:
        found = [
            captioner.caption(photo, **{**options, "required_words": tuple(dict.fromkeys(choice))})
            for choice in itertools.product(*groups)
        ]
    except CaptionerError as error:
        return error
    return max((caption for caption in found if _holds(caption, groups)), key=lambda caption: caption.score)
