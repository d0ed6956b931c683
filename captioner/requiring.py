"""Captions that hold one word of each of several groups, such as "dog|puppy"."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from captioner.caption import Caption
from captioner.errors import CaptionerError, ConfigError
from captioner.vocabulary import Vocabulary

MOST_CHOICES = 64  # searches for one photo

Photo = str | os.PathLike
Groups = Sequence[Sequence[str]]


class Captioning(Protocol):
    """What is taken of a `captioner.Captioner`."""

    vocabulary: Vocabulary

    def caption(self, image, **options): ...

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


def split_choices(options: dict) -> tuple[Groups, dict]:
    """Required words of which one is enough, such as "dog|puppy", and the options without them.

    Raises:
        ConfigError: as in `parse_groups`.
    """
    required = options.get("required_words", ())
    required = required.split() if isinstance(required, str) else required
    if not isinstance(required, (list, tuple)):
        return (), options  # which is refused where options are read
    choices = [word for word in required if isinstance(word, str) and "|" in word]
    if not choices:
        return (), options
    return parse_groups(choices), {**options, "required_words": tuple(word for word in required if word not in choices)}


def caption_with(captioner: Captioning, photo: Any, groups: Groups, options: dict) -> Caption | list[Caption]:
    """`Captioner.caption` in which every caption holds a word of each group; as many as "count" of the options says.

    Raises:
        CaptionerError: as `Captioner.caption` does.
    """
    known = known_choices(captioner.vocabulary, groups)
    found = captioner.caption(photo, **options)
    if all(_holds(caption, known) for caption in (found if isinstance(found, list) else [found])):
        return found
    best = _best(captioner, photo, known, {**options, "count": options.get("count") or 1})
    return best[: options["count"]] if isinstance(found, list) else best[0]


def captions_with(
    captioner: Captioning, photos: Iterable[Photo], groups: Groups, options: dict
) -> Iterator[Caption | CaptionerError]:
    """`Captioner.captions` in which every caption holds a word of each group.

    A caption that holds them anyway stays; for another photo each choice of words is searched with, and the
    likeliest caption is taken.

    Raises:
        ConfigError: the vocabulary has no word of a group, or an option is wrong.
    """
    known = known_choices(captioner.vocabulary, groups)
    waiting: collections.deque[Photo] = collections.deque()

    def watched():
        for photo in photos:
            waiting.append(photo)
            yield photo

    for answer in captioner.captions(watched(), **options):
        photo = waiting.popleft()
        if isinstance(answer, Caption) and not _holds(answer, known):
            try:
                answer = _best(captioner, photo, known, {**options, "count": 1})[0]
            except CaptionerError as error:
                answer = error
        yield answer


def known_choices(vocabulary: Vocabulary, groups: Groups) -> Groups:
    """The words of each group that a vocabulary holds.

    Raises:
        ConfigError: it holds none of one.
    """
    known = [[word for word in group if word in vocabulary] for group in groups]
    for group, words in zip(known, groups, strict=True):
        if not group:
            raise ConfigError(f"the model knows none of the required words {'|'.join(words)}")
    return known


def _holds(caption: Caption, groups: Groups) -> bool:
    words = {word.text for word in caption.words}
    return all(words.intersection(group) for group in groups)


def _best(captioner: Captioning, photo: Any, groups: Groups, options: dict) -> list[Caption]:
    """Captions found with each choice of words, the likeliest first."""
    required = options.get("required_words", ())
    required = tuple(required.split() if isinstance(required, str) else required)
    found: dict[str, Caption] = {}
    for choice in itertools.product(*groups):
        words = tuple(dict.fromkeys((*required, *choice)))
        for caption in captioner.caption(photo, **{**options, "required_words": words}):
            if _holds(caption, groups):
                found.setdefault(caption.text, caption)
    return sorted(found.values(), key=lambda caption: -caption.score)
