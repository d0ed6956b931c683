"""A captioner that asks a service of `captioner.serve`: what the page needs of one, over HTTP."""

from __future__ import annotations

import io
import json
import os
import pathlib
import time
import types
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import numpy as np

from captioner import Caption, CaptionerError, ConfigError, ImageError
from captioner.caption import Word
from captioner.errors import one_line
from captioner.pictures.reading import Source, open_image
from captioner.pictures.uploads import MAX_PHOTO

TRIES = 5  # of a question that the service is too busy for
SECONDS = 120.0  # for an answer
LOSSLESS_PIXELS = 4_000_000


class RemoteCaptioner:
    """Stands where a `Captioner` stands on the page; the network is elsewhere.

    A caption comes as a whole, so that `stream` has it at once word by word.

    Args:
        address: of the service, such as http://127.0.0.1:8000.
        client: that asks; one of its own if None.

    Attributes:
        name: of the model there.
        grid: rows and columns of its masks.
        config: `decoder.max_words`, all that the page asks of it.

    Raises:
        ConfigError: no service answers there.
    """

    def __init__(self, address: str, client: httpx.Client | None = None):
        try:
            self._client = client or httpx.Client(base_url=address, timeout=SECONDS)
            model = self._client.get("/v1/model").raise_for_status().json()
            self.name, self.grid = str(model["name"]), tuple(model["grid"])
            self._threshold, longest = model["threshold"], int(model["max_words"])
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
            reason = one_line(str(error)) or type(error).__name__
            raise ConfigError(
                f"no service of captions answers at {address}: {reason}; start one: python -m captioner.serve"
            ) from None
        self.config = types.SimpleNamespace(decoder=types.SimpleNamespace(max_words=longest))

    def caption(self, image: Source, count: int | None = None, **options: Any) -> Caption | list[Caption]:
        """As `Captioner.caption`."""
        asked = {"options": json.dumps(options), **({} if count is None else {"count": count})}
        found = self._ask("/v1/caption", image, asked)
        return self._read(found, image) if count is None else [self._read(each, image) for each in found]

    def captions(
        self, images: Iterable[Source], batch_size: int = 16, **options: Any
    ) -> Iterator[Caption | ImageError]:
        """As `Captioner.captions`; photos are sent one by one."""
        for image in images:
            try:
                yield self.caption(image, **options)
            except ImageError as error:
                yield error

    def score(self, image: Source, text: str) -> Caption:
        """As `Captioner.score`."""
        return self._read(self._ask("/v1/score", image, {"text": text}), image)

    def stream(self, image: Source, **options: Any) -> Iterator[Caption]:
        """As `Captioner.stream`, all at once."""
        whole = self.caption(image, **{"strategy": "greedy", **options})
        for length in range(1, len(whole.words)):
            yield Caption(whole.words[:length], whole.score, image, whole.size, whole.resize, whole.threshold)
        yield whole

    def _ask(self, path: str, image: Source, parameters: dict[str, Any]) -> Any:
        photo = _file_of(image)
        try:
            for left in reversed(range(TRIES)):
                answer = self._client.post(path, content=photo, params=parameters)
                if answer.status_code < 500 or not left:
                    break
                time.sleep(float(answer.headers.get("retry-after", 1)))
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise CaptionerError(f"the service of captions does not answer: {type(error).__name__}") from None
        if answer.status_code != 200:
            detail = one_line(str(found.get("detail") if isinstance(found, dict) else answer.status_code))
            raise (ConfigError if answer.status_code == 422 else CaptionerError)(detail)
        return found

    def _read(self, found: dict[str, Any], image: Source) -> Caption:
        """The caption of a service's answer, of the picture as it is here."""
        words = []
        for word in found["words"]:
            heads = word["heads"] and np.array(word["heads"], np.float32)
            pairs = tuple((text, chance) for text, chance in word["alternatives"])
            mask = np.array(word["mask"], np.float32)
            words.append(Word(**{**word, "mask": mask, "heads": heads, "alternatives": pairs}))
        return Caption(tuple(words), found["score"], image, tuple(found["size"]), found["resize"], self._threshold)


def _file_of(image: Source) -> bytes:
    """The file of a picture: its own, or one without loss; a large one is pressed as a JPEG.

    Raises:
        ImageError: it cannot be read as a picture.
    """
    picture = open_image(image)  # what is none, or too large, is refused here
    if isinstance(image, (str, os.PathLike)) and os.path.getsize(image) <= MAX_PHOTO:
        return pathlib.Path(image).read_bytes()
    if isinstance(image, bytes) and len(image) <= MAX_PHOTO:
        return image
    memory = io.BytesIO()
    lossless = picture.width * picture.height <= LOSSLESS_PIXELS
    picture.save(memory, **({"format": "PNG", "compress_level": 1} if lossless else {"format": "JPEG", "quality": 95}))
    return memory.getvalue()
