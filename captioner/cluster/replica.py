"""A replica of the service: one captioner, and questions that go through it together."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from ray import serve

from captioner.caption import Caption
from captioner.captioner import Captioner
from captioner.cluster.model_parcel import unpack
from captioner.errors import CaptionerError, ImageError


@dataclasses.dataclass(frozen=True)
class Ask:
    """A question about one photo.

    Attributes:
        photo: the file.
        options: fields of `DecodingOptions`, as JSON with sorted keys.
        text: words to score; None wants a caption.
        count: how many captions; None wants one.
        masks: whether the answer has masks.
    """

    photo: bytes
    options: str = "{}"
    text: str | None = None
    count: int | None = None
    masks: bool = True


@dataclasses.dataclass(frozen=True)
class Answer:
    """What comes back.

    Attributes:
        captions: fields of `CaptionAnswer`, the best first.
        error: why there are none.
        batch: how many photos went through the network together.
    """

    captions: list[dict[str, Any]]
    error: str = ""
    batch: int = 1


class Replica:
    """What Ray Serve makes replicas of.

    Args:
        model, version: the model's name, and what tells it from others of that name.
        parcel: the reference to its folder, packed, in a list.
        runtime, threads: what runs it, with so many threads.
        batch: photos that go through the network together, at most.
        wait: seconds that a photo waits for others.
    """

    def __init__(
        self, model: str, version: str, parcel: list, runtime: str = "auto", threads: int = 1, batch: int = 8,
        wait: float = 0.02,
    ):  # fmt: skip
        import ray

        folder = unpack(model, ray.get(parcel[0]), version)
        self._captioner = Captioner.from_pretrained(folder, runtime, threads)
        self._version = version
        self._answer.set_max_batch_size(batch)
        self._answer.set_batch_wait_timeout_s(wait)

    async def answer(self, ask: Ask) -> Answer:
        """The answer to a question; others that come at the same time are answered with it."""
        return await self._answer(ask)

    def describe(self) -> dict[str, Any]:
        """The fields of `ModelAnswer`."""
        captioner = self._captioner
        confidence = captioner.config.confidence
        return {
            "name": captioner.name,
            "version": self._version,
            "grid": captioner.grid,
            "max_words": captioner.config.decoder.max_words,
            "words": len(captioner.vocabulary),
            "threshold": confidence.threshold if confidence else None,
        }

    @serve.batch
    async def _answer(self, asks: list[Ask]) -> list[Answer]:
        return await asyncio.to_thread(answer_all, self._captioner, asks)


def answer_all(captioner: Captioner, asks: Sequence[Ask]) -> list[Answer]:
    """Answers in the order of the questions; those that ask for one caption alike go through the network together."""
    answers: dict[int, Answer] = {}
    alike: dict[str, list[int]] = collections.defaultdict(list)
    for place, ask in enumerate(asks):
        if ask.text is None and ask.count is None:
            alike[ask.options].append(place)
        else:
            answers[place] = _one(captioner, ask)
    for options, places in alike.items():
        try:
            photos = [asks[place].photo for place in places]
            found = list(captioner.captions(photos, batch_size=len(places), **json.loads(options)))
        except CaptionerError as error:
            found = [error] * len(places)
        for place, caption in zip(places, found, strict=True):
            answers[place] = _answered(caption, asks[place], len(places))
    return [answers[place] for place in range(len(asks))]


def _one(captioner: Captioner, ask: Ask) -> Answer:
    try:
        if ask.text is not None:
            return _answered(captioner.score(ask.photo, ask.text), ask)
        captions = captioner.caption(ask.photo, count=ask.count, **json.loads(ask.options))
        return Answer([_fields(caption, ask.masks) for caption in captions])
    except CaptionerError as error:
        return _answered(error, ask)


def _answered(caption: Caption | CaptionerError, ask: Ask, batch: int = 1) -> Answer:
    if isinstance(caption, CaptionerError):
        text = str(caption)
        if isinstance(caption, ImageError):  # the sender knows no photo by its length
            text = text.replace(f"{len(ask.photo)} bytes", "the photo", 1)
        return Answer([], text, batch)
    return Answer([_fields(caption, ask.masks)], "", batch)


def _fields(caption: Caption, masks: bool) -> dict[str, Any]:
    fields = caption.to_dict()
    if not masks:
        for word in fields["words"]:
            word["mask"] = word["heads"] = None
    return fields
