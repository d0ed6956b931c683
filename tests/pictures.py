"""Odd and hostile pictures, made here: every mode and format, damage, wrong names, bombs, polyglots, no pictures."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

SIZE = (48, 36)
FORMATS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "BMP": "bmp", "TIFF": "tiff", "AVIF": "avif"}
OTHERS = ("PPM", "TGA", "ICO", "PCX", "SGI", "DDS", "JPEG2000", "PDF", "IM", "MSP", "SPIDER", "ICNS", "QOI", "BLP")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16", "I;16B")
GOOD, BAD, ORACLE = "captioned", "refused", "as Pillow says"


class Odd(NamedTuple):
    """A file that a stranger might send.

    Attributes:
        name: of the file.
        data: its bytes.
        verdict: `GOOD` must be captioned, `BAD` refused; `ORACLE`: refused where Pillow reports damage, else captioned.
    """

    name: str
    data: bytes
    verdict: str


def base() -> Image.Image:
    """Something to see: red grows to the right, green downwards, blue in the middle."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    blue = 255 * np.exp(-((x - SIZE[0] / 2) ** 2 + (y - SIZE[1] / 2) ** 2) / 200)
    return Image.fromarray(np.stack([x * 255 / SIZE[0], y * 255 / SIZE[1], blue], -1).astype(np.uint8))


def in_mode(mode: str) -> Image.Image:
    """`base` in a mode of Pillow; numbers of more than 8 bits use the whole of 16."""
    picture = base()
    gray = np.asarray(picture.convert("L"))
    if mode == "LAB":
        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.profileToProfile(picture, *profiles, outputMode="LAB")
    if mode == "I;16":
        return Image.fromarray(gray.astype(np.uint16) * 257)
    if mode == "I;16B":
        return Image.frombytes("I;16B", SIZE, (gray.astype(">u2") * 257).tobytes())
    if mode == "I":
        return Image.fromarray(gray.astype(np.int32) * 257)
    if mode == "F":
        return Image.fromarray(gray.astype(np.float32) / 255)
    if mode == "PA":
        return picture.convert("P").convert("PA")
    if mode == "LA":
        return picture.convert("L").convert("LA")
    return picture.convert(mode)


def encode(picture: Image.Image, format: str, **options) -> bytes:
    """A file of a picture."""
    file = io.BytesIO()
    # Copies, since saving leaves settings of the format behind.
    if "append_images" in options:
        options["append_images"] = [frame.copy() for frame in options["append_images"]]
    picture.copy().save(file, format, **options)
    return file.getvalue()


def pillow_reports(data: bytes) -> str | None:
    """What Pillow says against a file, or None: it opens, decodes, and passes `verify`."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.verify()
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def every_mode_and_format() -> Iterator[Odd]:
    """Each mode in each format that Pillow can write it in."""
    for mode in MODES:
        for format, suffix in FORMATS.items():
            try:
                data = encode(in_mode(mode), format)
            except (OSError, KeyError, ValueError):
                continue
            if not pillow_reports(data):  # it writes YCbCr into TIFF in a way that it cannot read
                yield Odd(f"mode-{mode.replace(';', '')}.{suffix}", data, GOOD)


def options_of_formats() -> Iterator[Odd]:
    """What cameras, scanners and editors write."""
    rgb, rgba, frames = base(), base().convert("RGBA"), [base(), base().rotate(90), base().rotate(180)]
    rgba.putalpha(Image.linear_gradient("L").resize(SIZE))
    for subsampling in (0, 1, 2):
        yield Odd(f"subsampling-{subsampling}.jpg", encode(rgb, "JPEG", subsampling=subsampling), GOOD)
    yield Odd("progressive.jpg", encode(rgb, "JPEG", progressive=True), GOOD)
    yield Odd("progressive-cmyk.jpg", encode(rgb.convert("CMYK"), "JPEG", progressive=True), GOOD)
    yield Odd("restarts.jpg", encode(rgb, "JPEG", restart_marker_blocks=1), GOOD)
    yield Odd("several.jpg", encode(rgb, "MPO", save_all=True, append_images=frames[1:]), GOOD)
    yield Odd("interlaced.png", interlaced_png(), GOOD)
    yield Odd("animated.png", encode(rgb, "PNG", save_all=True, append_images=frames[1:]), GOOD)
    yield Odd("clear-colour.png", encode(rgb, "PNG", transparency=(0, 0, 0)), GOOD)
    yield Odd("clear-gray16.png", encode(in_mode("I;16"), "PNG", transparency=0), GOOD)
    yield Odd("palette-alpha.png", encode(rgba.quantize(16), "PNG"), GOOD)
    for bits in (1, 2, 4, 8):
        yield Odd(f"palette-{bits}.png", encode(rgb.quantize(2**bits), "PNG", bits=bits), GOOD)
    for format in ("GIF", "WEBP", "AVIF", "TIFF"):
        data = encode(rgb, format, save_all=True, append_images=frames[1:])
        yield Odd(f"frames.{FORMATS[format]}", data, GOOD)
    yield Odd("clear.gif", encode(rgba, "GIF"), GOOD)
    yield Odd("lossless.webp", encode(rgba, "WEBP", lossless=True), GOOD)
    yield Odd("alpha.avif", encode(rgba, "AVIF"), GOOD)
    for compression in (
        "raw",
        "tiff_lzw",
        "tiff_adobe_deflate",
        "packbits",
        "jpeg",
        "lzma",
        "zstd",
        "tiff_deflate",
    ):
        yield Odd(f"{compression}.tiff", encode(rgb, "TIFF", compression=compression), GOOD)
    for compression in ("group3", "group4", "tiff_ccitt"):
        yield Odd(f"{compression}.tiff", encode(rgb.convert("1"), "TIFF", compression=compression), GOOD)
    yield Odd("big.tiff", encode(rgb, "TIFF", big_tiff=True), GOOD)
    yield Odd(
        "profile.jpg",
        encode(rgb, "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        GOOD,
    )
    yield Odd("bad-profile.jpg", encode(rgb, "JPEG", icc_profile=b"no profile" * 9000), GOOD)
    for width, height in ((1, 1), (1, 999), (999, 1), (30000, 1), (1, 30000), (257, 3)):
        for format in ("JPEG", "PNG", "TIFF"):
            data = encode(rgb.resize((width, height)), format)
            yield Odd(f"size-{width}x{height}.{FORMATS[format]}", data, GOOD)


def interlaced_png() -> bytes:
    """Adam7, which Pillow reads and does not write: a gray 8x8 picture whose passes are made here."""
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = (pixels[y::dy, x::dx] for y, x, dy, dx in passes)
    return png(8, 8, b"".join(b"\0" + row.tobytes() for part in rows for row in part), interlace=1)


def turned() -> Iterator[Odd]:
    """What cameras note in EXIF, right, wrong and broken."""
    for format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        for orientation in (*range(10), 255):
            exif = Image.Exif()
            exif[0x0112] = orientation
            data = encode(base(), format, exif=exif)
            yield Odd(f"turn-{orientation}.{FORMATS[format]}", data, GOOD)
    for format in ("JPEG", "PNG", "WEBP"):
        for number, exif in enumerate((b"", b"II", b"II*\0\xff\xff\xff\xff", b"Exif\0\0" * 50, b"\0" * 100)):
            data = encode(base(), format, exif=b"Exif\0\0" + exif)
            yield Odd(f"broken-exif-{number}.{FORMATS[format]}", data, GOOD)


def damaged(seed: int = 0, cuts: int = 12, flips: int = 14) -> Iterator[Odd]:
    """Files of every format, cut and with bits turned over."""
    rng = np.random.default_rng(seed)
    for format, suffix in FORMATS.items():
        data = encode(base().resize((240, 180)), format)
        for share in np.linspace(0.02, 0.98, cuts):
            yield Odd(f"cut-{share:.2f}.{suffix}", data[: int(len(data) * share)], ORACLE)
        for left in (1, 2, 8):
            yield Odd(f"cut-last-{left}.{suffix}", data[:-left], ORACLE)
        for i in range(flips):
            end = len(data) if i % 2 else min(200, len(data))  # headers as well as pixels
            changed = bytearray(data)
            for place in rng.integers(0, end, 1 + i // 4):
                changed[place] ^= 1 << int(rng.integers(8))
            yield Odd(f"flip-{i}.{suffix}", bytes(changed), ORACLE)


def fuzzed(seed: int = 1, count: int = 6) -> Iterator[Odd]:
    """The beginning of a file, then noise."""
    rng = np.random.default_rng(seed)
    for format, suffix in FORMATS.items():
        data = encode(base(), format)
        for i in range(count):
            start = data[: int(rng.integers(4, 64))]
            yield Odd(f"noise-{i}.{suffix}", start + rng.bytes(int(rng.integers(1, 5000))), ORACLE)


def mislabelled() -> Iterator[Odd]:
    """The name says one format, the bytes are another."""
    suffixes = [*FORMATS.values()]
    for i, format in enumerate(FORMATS):
        yield Odd(f"is-{format.lower()}.{suffixes[(i + 1) % len(suffixes)]}", encode(base(), format), GOOD)
    yield Odd("no-suffix", encode(base(), "JPEG"), GOOD)
    yield Odd("program.exe", encode(base(), "PNG"), GOOD)


def polyglots() -> Iterator[Odd]:
    """Pictures that are something else as well."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.py", "print('run')")
    script = b"<script>alert(1)</script><?php system('id'); ?>"
    for format, suffix in FORMATS.items():
        data = encode(base(), format)
        yield Odd(f"with-zip.{suffix}", data + archive.getvalue(), GOOD)
        yield Odd(f"with-script.{suffix}", data + script, GOOD)
    yield Odd("comment.jpg", encode(base(), "JPEG", comment=script), GOOD)
    yield Odd("comment.gif", encode(base(), "GIF", comment=script), GOOD)
    text = PngImagePlugin.PngInfo()
    text.add_text("Description", script.decode())
    yield Odd("comment.png", encode(base(), "PNG", pnginfo=text), GOOD)
    yield Odd("pdf-first.jpg", b"%PDF-1.4\n" + encode(base(), "JPEG"), BAD)
    yield Odd("html-first.png", b"<html>" + encode(base(), "PNG"), BAD)


def no_pictures() -> Iterator[Odd]:
    """What else lies in folders, and the formats that Pillow opens and this project does not."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "a")
    contents = {
        "empty.jpg": b"",
        "text.jpg": b"hello\n",
        "zeros.png": bytes(5000),
        "page.html": b"<!doctype html><img src=x onerror=alert(1)>",
        "drawing.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "paper.pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "archive.zip": archive.getvalue(),
        "object.pkl": pickle.dumps({"a": print}),
        "program.jpg": b"\x7fELF" + bytes(200),
        "postscript.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(id) run\n",
        "phone.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99),
        "two.jpg": b"\xff\xd8",
        "three.jpg": b"\xff\xd8\xff",
        "ends.jpg": b"\xff\xd8\xff\xd9",
        "magic.png": b"\x89PNG\r\n\x1a\n",
        "magic.gif": b"GIF89a",
        "magic.webp": b"RIFF\0\0\0\0WEBP",
        "magic.bmp": b"BM",
        "magic.tiff": b"II*\0",
        "magic.avif": b"\0\0\0\x18ftypavif",
        "no-pixels.png": png(0, 5, b""),
    }
    yield from (Odd(name, data, BAD) for name, data in contents.items())
    for format in OTHERS:
        try:
            data = encode(base().convert("1" if format == "MSP" else "F" if format == "SPIDER" else "RGB"), format)
        except (KeyError, OSError, ValueError):
            continue
        yield Odd(f"other.{format.lower()}", data, BAD)


def png(
    width: int, height: int, rows: bytes, bits: int = 8, colours: int = 0, interlace: int = 0, extra: bytes = b""
) -> bytes:
    """A PNG file of raw rows, each with its filter byte; `extra` are chunks before the pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of PNG with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bombs() -> Iterator[Odd]:
    """Small files that ask for gigabytes or hours."""
    yield Odd("bomb-1-bit.png", png(13300, 13300, bytes(13300 * 1664), bits=1), BAD)
    yield Odd("bomb-gray.png", png(9400, 9400, bytes(9400 * 9401)), BAD)
    yield Odd("bomb-claims.png", png(2**31 - 1, 2**31 - 1, b""), BAD)
    yield Odd(
        "bomb-text.png", png(9, 9, bytes(90), extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(30_000_000)))), BAD
    )
    small = {format: encode(base(), format) for format in ("JPEG", "GIF", "BMP", "WEBP")}
    at = small["JPEG"].index(b"\xff\xc0") + 5
    yield Odd("bomb.jpg", small["JPEG"][:at] + struct.pack(">HH", 65500, 65500) + small["JPEG"][at + 4 :], BAD)
    yield Odd("bomb.gif", small["GIF"][:6] + struct.pack("<HH", 65535, 65535) + small["GIF"][10:], BAD)
    yield Odd("bomb.bmp", small["BMP"][:18] + struct.pack("<ii", 2**30, 2**30) + small["BMP"][26:], BAD)
    yield Odd(
        "bomb.tiff", tiff([(256, 4, 1, 2**31), (257, 4, 1, 2**31), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 9)]), BAD
    )
    tags = tags_bomb()
    yield Odd("bomb-tags.tiff", tags, BAD)
    yield Odd("bomb-numbers.tiff", tiff([(258, 3, 3_000_000, 8)], bytes(6_000_000)), BAD)
    yield Odd("bomb-exif.png", png(9, 9, bytes(90), extra=chunk(b"eXIf", tags)), BAD)
    yield Odd("bomb-exif.webp", encode(base(), "WEBP", exif=b"Exif\0\0" + tags), BAD)
    harmless = tags.replace(
        struct.pack("<HHHL", 20_000, 1000, 7, 1_000_000), struct.pack("<HHHL", 0, 1000, 7, 1_000_000)
    )
    avif = encode(base(), "AVIF", exif=b"Exif\0\0" + harmless)  # Pillow reads what it writes
    yield Odd("bomb-exif.avif", avif.replace(harmless, tags), BAD)
    parts = (tags[i : i + 65000] for i in range(0, len(tags), 65000))
    exif = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 8) + b"Exif\0\0" + part for part in parts)
    yield Odd("bomb-exif.jpg", small["JPEG"][:2] + exif + small["JPEG"][2:], BAD)
    yield Odd("bomb-segments.jpg", small["JPEG"][:2] + b"\xff\xe5\0\2" * 400_000 + small["JPEG"][2:], BAD)
    yield Odd("bomb-scans.jpg", scans_bomb(), BAD)


def tiff(tags: list[tuple[int, int, int, int]], rest: bytes = b"") -> bytes:
    """A little-endian TIFF of (tag, type, count, value), the tags at its end."""
    entries = b"".join(struct.pack("<HHLL", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<L", 8 + len(rest)) + rest + struct.pack("<H", len(tags)) + entries + bytes(4)


def tags_bomb(tags: int = 20_000, length: int = 1_000_000) -> bytes:
    """20,000 tags that all name the same megabyte: 20 GB for whoever reads them."""
    return tiff([(1000 + i, 7, length, 8) for i in range(tags)], bytes(length))


def scans_bomb(side: int = 8800, scans: int = 30_000) -> bytes:
    """A progressive JPEG of 77 megapixels whose many scans each say "nothing here" for every block."""
    frame = struct.pack(">BHHB", 8, side, side, 1) + b"\x01\x11\0"
    tables = b"\xff\xdb\0\x43\0" + b"\x01" * 64
    # One code of one bit: a run of 2^14 or more blocks without a coefficient, its 14 further bits all ones.
    tables += b"\xff\xc4" + struct.pack(">H", 2 + 17 + 1) + b"\0\x01" + bytes(15) + b"\0"
    tables += b"\xff\xc4" + struct.pack(">H", 2 + 17 + 1) + b"\x10\x01" + bytes(15) + b"\xe0"
    blocks = (side // 8) ** 2
    bits = ("0" + "1" * 14) * -(-blocks // 32767)
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    direct = b"\xff\xda\0\x08\x01\x01\0\0\0\0" + bytes(blocks // 8 + 1)
    scan = b"\xff\xda\0\x08\x01\x01\0\x01\x3f\0" + coded
    return (
        b"\xff\xd8"
        + tables
        + b"\xff\xc2"
        + struct.pack(">H", len(frame) + 2)
        + frame
        + direct
        + scan * scans
        + b"\xff\xd9"
    )


def all_pictures() -> Iterator[Odd]:
    """All of them."""
    for make in (
        every_mode_and_format,
        options_of_formats,
        turned,
        damaged,
        fuzzed,
        mislabelled,
        polyglots,
        no_pictures,
        bombs,
    ):
        yield from make()
