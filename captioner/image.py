"""Open a stranger's picture, make it the network's square, and map a mask back onto it. Knows no Keras."""

from __future__ import annotations

import io
import os
import pathlib
import warnings

import numpy as np
from PIL import Image, ImageOps

from captioner.errors import ImageError

FORMATS = tuple(name for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"))
MAX_PIXELS = 80_000_000
RESAMPLE = Image.Resampling.BILINEAR

Source = str | os.PathLike | bytes | Image.Image | np.ndarray


def open_image(source: Source) -> Image.Image:
    """A picture as upright RGB, whatever it came as.

    Transparency is laid on white, animations give their first frame, 16-bit gray is scaled and the turn that a
    camera noted in EXIF is applied.

    Args:
        source: path, bytes of a file, PIL image, or uint8 array (height, width), (h, w, 1), (h, w, 3) or (h, w, 4).

    Raises:
        ImageError: it cannot be read as a picture.
    """
    if isinstance(source, np.ndarray):
        return _flatten(_from_array(source))
    if isinstance(source, Image.Image):
        return _flatten(ImageOps.exif_transpose(source))
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(source), f"{len(source)} bytes")
    if isinstance(source, (str, os.PathLike)):
        path = pathlib.Path(source)
        if not path.is_file():
            raise ImageError(
                f"{path}: {'is not a file' if path.exists() else 'does not exist'}; give the path of a picture"
            )
        try:
            with path.open("rb") as file:
                return _decode(file, str(path))
        except OSError as error:
            raise ImageError(f"{path}: cannot be opened: {error.strerror}") from None
    raise ImageError(f"a picture is a path, bytes, a PIL image or a uint8 array. Received: {type(source).__name__}")


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8:
        raise ImageError(f"an array of pixels holds uint8 from 0 to 255. Received: {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise ImageError(
            f"an array of pixels has shape (height, width) or (height, width, 3 or 4). Received: {array.shape}"
        )
    return Image.fromarray(array)


def _decode(file, name: str) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=_available_formats()) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise ImageError(
                        f"{name}: {picture.width}x{picture.height} pixels are more than {MAX_PIXELS}; make it smaller"
                    )
                picture.load()
                return _flatten(ImageOps.exif_transpose(picture))
    except ImageError:
        raise
    except Image.UnidentifiedImageError:
        raise ImageError(f"{name}: is not a picture in one of the formats {', '.join(_available_formats())}") from None
    # Pillow's readers raise many types for damaged files; its security page leaves catching them to the application.
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ImageError(f"{name}: cannot be read as a picture: {reason}") from None


def _available_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _flatten(picture: Image.Image) -> Image.Image:
    """RGB; transparency on white; 16-bit gray scaled instead of clipped."""
    if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        values = np.asarray(picture, np.float32)
        top = 65535.0 if picture.mode != "F" and values.max(initial=0) > 255 else 255.0
        picture = Image.fromarray(np.clip(values * (255.0 / top), 0, 255).round().astype(np.uint8))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def view_box(size: tuple[int, int], resize: str) -> tuple[float, float, float, float]:
    """The part of a picture that the network's square covers: left, top, right, bottom in pixels of the picture.

    Args:
        size: (width, height) of the upright picture.
        resize: "squash" covers it exactly, "crop" covers its central square, "pad" reaches beyond its short side.
    """
    width, height = size
    if resize == "squash":
        return (0.0, 0.0, float(width), float(height))
    side = min(size) if resize == "crop" else max(size)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)


def network_square(picture: Image.Image, image_size: int, resize: str) -> np.ndarray:
    """The square the network sees: uint8 (image_size, image_size, 3)."""
    left, top, right, bottom = view_box(picture.size, resize)
    if resize == "pad":
        square = Image.new("RGB", (max(picture.size),) * 2)
        square.paste(picture, (round(-left), round(-top)))
        picture, box = square, None
    else:
        box = (left, top, right, bottom)
    return np.asarray(picture.resize((image_size, image_size), RESAMPLE, box=box))


def map_to_picture(mask: np.ndarray, size: tuple[int, int], resize: str) -> np.ndarray:
    """Lay a mask of the attention grid over the picture it belongs to.

    Args:
        mask: float (rows, columns) over the network's square.
        size: (width, height) of the upright picture.
        resize: how the square was made of the picture.

    Returns:
        float32 (height, width), the mask's own values interpolated between the centres of its cells; 0 where the
        network did not look because that part was cropped away.
    """
    left, top, right, bottom = (round(edge) for edge in view_box(size, resize))
    width, height = size
    cells = Image.fromarray(np.ascontiguousarray(mask, np.float32))
    smooth = np.asarray(cells.resize((max(right - left, 1), max(bottom - top, 1)), Image.Resampling.BILINEAR))
    picture = np.zeros((height, width), np.float32)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    picture[y0:y1, x0:x1] = smooth[y0 - top : y1 - top, x0 - left : x1 - left]
    return picture
