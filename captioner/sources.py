"""What a user may ask captions of, picture by picture."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from captioner.album.finding import find_photos
from captioner.errors import CaptionerError, ImageError
from captioner.pictures.reading import Source, in_hand


def each_picture(images: Iterable[Source] | Source) -> Iterator[Source | CaptionerError]:
    """Pictures one by one: folders by their photos, open files by their bytes, an error where one cannot be read."""
    is_array = isinstance(images, np.ndarray) and images.ndim < 4
    if is_array or hasattr(images, "read") or isinstance(images, (str, os.PathLike, bytes, bytearray, Image.Image)):
        images = [images]
    for image in images:
        try:
            if isinstance(image, (str, os.PathLike)) and os.path.isdir(image):
                yield from find_photos([image]).photos
            else:
                yield in_hand(image)
        except (ImageError, ValueError) as error:  # a null character in a name
            yield error if isinstance(error, ImageError) else ImageError(f"{image!r}: cannot be opened: {error}")
