"""A stranger's picture, whatever it came as, upright and RGB; or the reason why not, in one line. Knows no Keras.

What a file claims is compared with the limits before anything is allocated for it. The limits, and what a picture
within them costs at most, stand in SECURITY.md.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

# Imported, they are readers of `Image.OPEN`. Pillow would import them with the first picture, all forty of them, and do
# without those for which memory is short just then.
from PIL import (  # noqa: F401
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from captioner.errors import ImageError
from captioner.pictures.colours import to_rgb
from captioner.pictures.kinds import heif_reader, is_heif, refuse_documents
from captioner.pictures.parts import check_parts
from captioner.pictures.raw import is_raw, raw_preview
from captioner.pictures.tags import check_all_tags, check_tags, exif_of_jpeg

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
MAX_BYTES = 250_000_000
MAX_PIXELS = 80_000_000
COSTLY = dict.fromkeys(("WEBP", "AVIF", "HEIF"), 40_000_000)  # their decoders hold the pixels several times over
FULL_PIXELS = 25_000_000  # a picture of more is worked on at a half, a third, … of its size
MAX_SECONDS = 10.0  # of one processor, for one picture
BLOCK = 16_384  # bytes that a decoder takes at a time; between two the seconds are counted
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Source = str | os.PathLike | bytes | BinaryIO | Image.Image | np.ndarray


class Picture(NamedTuple):
    """A picture that was read.

    Attributes:
        image: upright RGB, of at most `FULL_PIXELS`.
        size: (width, height) of the upright picture before it was made smaller.
    """

    image: Image.Image
    size: tuple[int, int]


def open_image(source: Source) -> Image.Image:
    """A picture as upright RGB, whatever it came as; see `read_picture`."""
    return read_picture(source).image


def read_picture(source: Source) -> Picture:
    """A picture as upright RGB, whatever it came as.

    Transparency is laid on white, animations and files of several pages give their first, raw photos their preview.
    16-bit gray is scaled and the turn that a camera noted in EXIF is applied. A picture of more than `FULL_PIXELS`
    comes smaller, a large JPEG by decoding it so.

    Args:
        source: path, bytes or an open file in one of `FORMATS`, HEIF (by pillow-heif) or raw (by rawpy), PIL image, or
            uint8 array (height, width), (h, w, 1), (h, w, 3) or (h, w, 4).

    Raises:
        ImageError: it cannot be read as a picture, is damaged, or is larger than `MAX_BYTES` or `MAX_PIXELS`.
    """
    source = in_hand(source)
    if isinstance(source, np.ndarray):
        source = _from_array(source)
    if isinstance(source, Image.Image):
        with _pillow_errors(name := "the image"):
            _check_size(source.size, name, source.format)
            source.load()
            return _finish(source, source.size, name)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _decode(bytes(source), f"{len(source)} bytes")
    if isinstance(source, (str, os.PathLike)):
        return _decode(_read_file(source), _shown(source))
    raise ImageError(f"a picture is a path, bytes, a PIL image or a uint8 array. Received: {type(source).__name__}")


def in_hand(source: Any) -> Any:
    """The bytes of a file that was opened, as they can be read once only; any other source as it is.

    Raises:
        ImageError: it cannot be read, or was opened as text.
    """
    if not hasattr(source, "read"):
        return source
    name = getattr(source, "name", "the open file")
    name = _shown(name) if isinstance(name, (str, os.PathLike)) else "the open file"
    try:
        data = source.read(MAX_BYTES + 1)
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:  # such as a closed one
        raise ImageError(f"{name}: cannot be read: {error}") from None
    if not isinstance(data, bytes):
        raise ImageError(f"{name}: was opened as text; open a picture with mode 'rb'")
    return data


def _shown(path: str | os.PathLike) -> str:
    name = os.fsdecode(path)
    return name if len(name) <= 1000 else f"{name[:1000]}…"


def _read_file(path: str | os.PathLike) -> bytes:
    """The bytes of a regular file; nothing else is even opened, since a pipe or a device can block for good."""
    name = _shown(path)
    try:
        _check_file(os.stat(path), name)
        # Between the two looks the name may have changed hands: a pipe that came in does not block this open.
        with os.fdopen(
            os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
        ) as file:
            _check_file(os.fstat(file.fileno()), name)
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://|data:", name):  # a file may be called so too
            raise ImageError(f"{name}: addresses are not opened; download the picture and give its path") from None
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise ImageError(f"{name}: does not exist; give the path of a picture") from None
        raise ImageError(f"{name}: cannot be opened: {error.strerror}") from None
    except ValueError as error:  # a null character
        raise ImageError(f"{name}: cannot be opened: {error}") from None
    except MemoryError:
        raise ImageError(f"{name}: there is not enough memory to read it") from None
    return data


def _check_file(status: os.stat_result, name: str) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    if not stat.S_ISREG(status.st_mode):
        kind = kinds.get(stat.S_IFMT(status.st_mode), "something else")
        raise ImageError(f"{name}: is not a file but {kind}; give the path of a picture")
    if status.st_size > MAX_BYTES:
        raise ImageError(f"{name}: {_too_long(status.st_size)}")


def _too_long(length: int) -> str:
    return f"{length:,} bytes are more than {MAX_BYTES:,}; make it smaller"


def _from_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8:
        raise ImageError(f"an array of pixels holds uint8 from 0 to 255. Received: {array.dtype}")
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise ImageError(
            f"an array of pixels has shape (height, width) or (height, width, 3 or 4). Received: {array.shape}"
        )
    _check_size(array.shape[1::-1], "the array")
    return Image.fromarray(array)


def _check_size(size: tuple[int, int], name: str, format: str | None = None) -> None:
    (width, height), limit = size, COSTLY.get(format, MAX_PIXELS)
    if width * height > limit:
        of_format = f" of {format}" if format in COSTLY else ""
        raise ImageError(f"{name}: {width}x{height} pixels{of_format} are more than {limit:,}; make it smaller")
    if width < 1 or height < 1:
        raise ImageError(f"{name}: {width}x{height} pixels are no picture")


class _Watched(io.BytesIO):
    """A file in memory that ends a reading which takes too long: decoders come back for more bytes again and again.

    What counts is processor time, so that a busy machine refuses nothing.

    Args:
        data: the file.
        name: of the picture, for the error.
        end: when it takes too long, by `time.thread_time()`.
    """

    def __init__(self, data: bytes, name: str, end: float):
        super().__init__(data)
        self._name, self._end = name, end

    def read(self, size: int | None = -1) -> bytes:
        if time.thread_time() > self._end:
            raise ImageError(f"{self._name}: cannot be read as a picture within {MAX_SECONDS:.0f} seconds")
        return super().read(size)


@contextlib.contextmanager
def _pillow_errors(name: str) -> Iterator[None]:
    """Pillow raises many types for damaged files; its security page leaves catching them to the application."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(f"{name}: there is not enough memory to decode it") from None
    except Exception as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ImageError(f"{name}: cannot be read as a picture: {reason}") from None


def _decode(data: bytes, name: str) -> Picture:
    if not data:
        raise ImageError(f"{name}: is empty, so it is not a picture")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name}: {_too_long(len(data))}")
    if not is_raw(data, name):
        return _decode_picture(data, name)
    preview, orientation = raw_preview(data, name)
    if isinstance(preview, bytes):
        return _decode_picture(preview, name, orientation)
    picture = _from_array(preview)
    return _finish(picture, picture.size, name, orientation)


def _decode_picture(data: bytes, name: str, turned: int = 1) -> Picture:
    """The picture of a file that is no raw photo; `turned` is its orientation where it notes none itself."""
    format, end = _format(data, name), time.thread_time() + MAX_SECONDS
    check_parts(data, format, name)
    if format == "TIFF":
        check_tags(data, name)
    elif format == "JPEG":
        check_tags(exif_of_jpeg(data, name), name)
    elif format in ("AVIF", "HEIF"):
        check_all_tags(data, name)
    with _pillow_errors(name), _opened(format, data, name, end) as picture:
        _check_size(picture.size, name, format)
        if format == "PNG":
            _verify_png(data, name, end)
        stored = picture.size
        if format == "JPEG":
            _decode_smaller(picture)
        picture.decodermaxblock = BLOCK
        picture.load()
        _check_size(picture.size, name, format)  # HEIF may decode to another size than it claims
        return _finish(picture, picture.size if format in ("TIFF", "HEIF") else stored, name, turned)


def _available() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of Pillow reads."""
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _format(data: bytes, name: str) -> str:
    if is_heif(data):
        return "HEIF"
    for format in _available():
        accepts = Image.OPEN[format][1]
        if accepts and accepts(data[:16]) is True:
            return format
    refuse_documents(data, name)
    raise ImageError(f"{name}: is not a picture in one of the formats {', '.join(_available())}")


def _opened(format: str, data: bytes, name: str, end: float) -> Image.Image:
    """The reader of one format over a file, nothing decoded yet.

    `Image.open` would compare the size with a limit of its own and warn, and filters of warnings belong to all
    threads.
    """
    reader = heif_reader(name) if format == "HEIF" else Image.OPEN[format][0]
    try:
        return reader(_Watched(data, name, end), "")
    except SyntaxError as error:
        raise ImageError(f"{name}: cannot be read as a picture: the {format} file is damaged: {error}") from None


def _verify_png(data: bytes, name: str, end: float) -> None:
    """Decoding skips the checksums and the end of the file; Pillow checks them when asked."""
    with _opened("PNG", data, name, end) as picture:
        picture.verify()


def _decode_smaller(picture: Image.Image) -> None:
    width, height = picture.size
    factor = _factor(picture.size)
    if factor > 1:
        picture.draft(None, (max(width // factor, 1), max(height // factor, 1)))


def _factor(size: tuple[int, int]) -> int:
    """How many pixels a side become one."""
    factor = 1
    while (size[0] // factor) * (size[1] // factor) > FULL_PIXELS:
        factor += 1
    return factor


def _finish(picture: Image.Image, stored: tuple[int, int], name: str, turned: int = 1) -> Picture:
    """Upright RGB of a picture that is loaded.

    Args:
        stored: its size before any turn and before it was decoded smaller.
        turned: its orientation where it notes none.
    """
    turn = _turn(picture, name, turned)
    image = to_rgb(picture, _factor(picture.size))
    if turn is not None:
        image = image.transpose(turn)
        image.info = {}  # else the turn, still noted there, would be applied again to what comes back in
    sideways = turn in (TURNS[5], TURNS[6], TURNS[7], TURNS[8])
    return Picture(image, (stored[1], stored[0]) if sideways else (stored[0], stored[1]))


def _turn(picture: Image.Image, name: str, turned: int) -> Image.Transpose | None:
    """The turn that a camera noted; asked for once the pixels are there, since failing here may hide that they are not.

    A picture whose EXIF is damaged is taken as it lies.
    """
    exif = picture.info.get("exif") or b""
    raw = picture.info.get("Raw profile type exif")
    if not exif and isinstance(raw, str):
        with contextlib.suppress(ValueError):
            exif = bytes.fromhex("".join(raw.split("\n")[3:]))
    if isinstance(exif, bytes):
        while exif.startswith(b"Exif\0\0"):
            exif = exif[6:]
        check_tags(exif, name)
    try:
        return TURNS.get(picture.getexif().get(ORIENTATION, turned))
    except Exception:
        return None
