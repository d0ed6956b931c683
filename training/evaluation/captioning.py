"""Captions of a split, as the library gives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rich.progress

from captioner.caption import Caption
from captioner.captioner import Captioner
from captioner.errors import CaptionerError, DatasetError
from captioner.pictures.reading import Source
from training.data.datasets import Example

BATCH = 32


def caption_examples(captioner: Captioner, examples: Sequence[Example], options: dict[str, Any]) -> list[Caption]:
    """A caption of each picture of a split.

    Raises:
        DatasetError: a picture cannot be read.
    """
    return caption_all(captioner, [example.image for example in examples], options)


def caption_all(captioner: Captioner, pictures: Sequence[Source], options: dict[str, Any]) -> list[Caption]:
    """A caption of each picture, none of which may fail."""
    captions = []
    answers = captioner.captions(pictures, batch_size=BATCH, **options)
    for answer in rich.progress.track(answers, "captions", total=len(pictures)):
        if isinstance(answer, CaptionerError):
            raise DatasetError(str(answer))
        captions.append(answer)
    return captions
