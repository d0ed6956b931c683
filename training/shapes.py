"""A generated data set that needs no download: scenes of coloured shapes, their captions, the true box of every noun.

Three kinds of scene, so that everything true that a caption may say can be listed:

- one shape: "a small red square";
- two or three alike: "two large blue circles";
- two that differ, clearly on top of or beside each other: "a small red square above a large blue circle", and the
  same seen from the other: "a large blue circle below a small red square".

All true captions of a scene are its references, so a caption is entirely right when it is one of them (`is_right`).
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import rich.progress
from PIL import Image, ImageDraw

from captioner.errors import DatasetError
from captioner.vocabulary import split_words
from training.data.datasets import SPLITS, Example, write_boxes, write_dataset
from training.data.detections import write_detections

Box = tuple[float, float, float, float]

PLURALS = {"circle": "circles", "square": "squares", "triangle": "triangles", "star": "stars", "cross": "crosses"}
COLOURS = {
    "red": (214, 40, 40),
    "green": (38, 150, 70),
    "blue": (40, 84, 210),
    "yellow": (240, 200, 20),
    "purple": (146, 62, 186),
    "black": (34, 34, 38),
}
# Longer side of a shape's box in shares of the picture; the gaps between the ranges keep the names apart.
SIZES = {"small": (0.14, 0.17), "medium": (0.23, 0.27), "large": (0.34, 0.38)}
NUMBERS = {2: "two", 3: "three"}
OPPOSITE = {"above": "below", "below": "above", "left of": "right of", "right of": "left of"}
COUNTS = {"train": 16000, "dev": 500, "test": 500}

MARGIN = 0.03  # between a shape and the edge of the picture
GAP = 0.04  # between two shapes
DOMINANCE = 2.0  # a relation is clear when its axis holds this many times the other axis' distance
TILT = 10.0  # degrees either way; far from the 45 that turn a square into a diamond
SHADE = 10  # how far a channel of a shape's colour strays, of 255
OVERSAMPLE = 4
PAIRS = 0.5  # share of scenes with two shapes that differ
ALIKE = {1: 0.4, 2: 0.3, 3: 0.3}  # how many shapes the other scenes have


@dataclasses.dataclass(frozen=True)
class Shape:
    """One shape of a scene.

    Attributes:
        kind: a key of `PLURALS`.
        colour: a key of `COLOURS`.
        size: a key of `SIZES`.
        box: (left, top, right, bottom) in shares of the picture, tight around what is drawn.
        tilt: degrees, clockwise.
    """

    kind: str
    colour: str
    size: str
    box: Box
    tilt: float = 0.0

    @property
    def look(self) -> tuple[str, str, str]:
        """(size, colour, kind): what a caption says of a shape."""
        return self.size, self.colour, self.kind


@dataclasses.dataclass(frozen=True)
class Scene:
    """One to three shapes that do not overlap, on a light ground.

    Attributes:
        shapes: one shape, two that differ, or two or three of one look.
        background: mean colour of the ground, RGB from 0 to 255.
        seed: of the uneven light and of the shades of the shapes' colours.
    """

    shapes: tuple[Shape, ...]
    background: tuple[int, int, int]
    seed: int


def sample_scene(rng: np.random.Generator) -> Scene:
    """A random scene; every truthful caption of it is in `captions_of`."""
    shapes = _place(_sample_looks(rng), rng)
    grey = rng.integers(214, 241)
    background = tuple(int(channel) for channel in grey + rng.integers(-5, 6, 3))
    return Scene(shapes, background, int(rng.integers(2**31)))


def draw_scene(scene: Scene, image_size: int = 128) -> Image.Image:
    """The picture of a scene, antialiased: RGB, image_size by image_size pixels, the same for the same scene."""
    rng = np.random.default_rng(scene.seed)
    light = Image.fromarray(rng.normal(0.0, 4.0, (4, 4)).astype(np.float32))
    light = np.asarray(light.resize((image_size, image_size), Image.Resampling.BICUBIC))
    ground = light[..., None] + np.asarray(scene.background, np.float32)
    picture = Image.fromarray(ground.round().clip(0, 255).astype(np.uint8))
    for shape in scene.shapes:
        shade = np.asarray(COLOURS[shape.colour]) + rng.integers(-SHADE, SHADE + 1, 3)
        start, mask = _mask(shape, image_size)
        picture.paste(tuple(shade.clip(0, 255).tolist()), start, mask)
    return picture


def captions_of(scene: Scene) -> tuple[str, ...]:
    """Every truthful caption of the whole scene: one, or two where two shapes differ.

    Raises:
        DatasetError: `sample_scene` draws no such scene; it has no caption that is certainly true.
    """
    first, second = scene.shapes[0], scene.shapes[-1]
    alike = len({shape.look for shape in scene.shapes}) == 1
    if len(scene.shapes) == 1:
        return (_singular(first),)
    if alike and len(scene.shapes) in NUMBERS:
        return (f"{NUMBERS[len(scene.shapes)]} {first.size} {first.colour} {PLURALS[first.kind]}",)
    relation = None if alike or len(scene.shapes) != 2 else _relation(first, second)
    if relation is None:
        raise DatasetError(
            "a scene has one shape, two or three of one look, or two that differ, clearly above or beside each other. "
            f"Received: {', '.join(_singular(shape) for shape in scene.shapes)}"
        )
    return (
        f"{_singular(first)} {relation} {_singular(second)}",
        f"{_singular(second)} {OPPOSITE[relation]} {_singular(first)}",
    )


def phrases_of(scene: Scene, caption: str) -> list[dict]:
    """Where the nouns of a caption are, as `training.data.datasets` stores it.

    Args:
        scene: what the picture shows.
        caption: one of `captions_of(scene)`.

    Returns:
        One {"word": i, "type": "shape", "boxes": [[left, top, right, bottom], ...]} a noun; caption.split()[i] is the
        noun; the box of every shape it names, in shares of the picture.

    Raises:
        DatasetError: the caption is none of the scene's.
    """
    if caption not in captions_of(scene):
        raise DatasetError(f"expected a true caption, such as {captions_of(scene)[0]!r}. Received: {caption!r}")
    kinds = {noun: kind for kind, plural in PLURALS.items() for noun in (kind, plural)}
    words = caption.split()
    phrases = []
    for i, word in enumerate(words):
        if word in kinds:
            look = (words[i - 2], words[i - 1], kinds[word])
            boxes = [list(shape.box) for shape in scene.shapes if shape.look == look]
            phrases.append({"word": i, "type": "shape", "boxes": boxes})
    return phrases


def is_right(caption: str, references: Sequence[str]) -> bool:
    """Whether a caption is entirely right: the same words as one of the scene's truthful captions."""
    return split_words(caption) in [split_words(reference) for reference in references]


def write_shapes(
    folder: str | pathlib.Path,
    counts: Mapping[str, int] = COUNTS,
    image_size: int = 128,
    seed: int = 0,
    uncaptioned: str = "",
) -> pathlib.Path:
    """Draw a data set: folder/images/*.png, folder/boxes.json.gz and, last, folder/captions.jsonl.

    A kind may be left out of all captions that are learned from, to see whether a model learns its name otherwise.
    Then pictures of train that show it have no captions, dev has no such picture, and besides there are
    folder/detections.json.gz, what a detector would see in train, and folder/texts.txt, captions of scenes of every
    kind of which there are no pictures, half as many as train has pictures.

    Args:
        folder: made where it is missing.
        counts: pictures in each split.
        image_size: side of the pictures in pixels.
        seed: the same seed gives the same files; no scene is in two splits.
        uncaptioned: that kind, a key of `PLURALS`; "" leaves none out.

    Returns:
        The path of captions.jsonl.

    Raises:
        DatasetError: a split that does not exist, a negative count, or pictures too small to tell shapes apart, or no
            such kind.
    """
    if image_size < 32 or not set(counts) <= set(SPLITS) or min(counts.values(), default=-1) < 0:
        raise DatasetError(
            f"shapes need counts of 0 or more for {', '.join(SPLITS)} and an image_size of 32 or more. "
            f"Received: {dict(counts)}, {image_size}"
        )
    if uncaptioned and uncaptioned not in PLURALS:
        raise DatasetError(f"uncaptioned is one of {', '.join(PLURALS)}. Received: {uncaptioned!r}")
    folder = pathlib.Path(folder)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    examples, boxes, seen = [], {}, {}
    scenes = rich.progress.track(_scenes(counts, seed, uncaptioned), "shapes", total=sum(counts.values()))
    for split, number, scene in scenes:
        path = folder / "images" / f"{split}_{number:05d}.png"
        draw_scene(scene, image_size).save(path)
        captions = () if split == "train" and _shows(scene, uncaptioned) else captions_of(scene)
        boxes[path.name] = [{"text": caption, "phrases": phrases_of(scene, caption)} for caption in captions]
        examples.append(Example(str(path), split, captions))
        if split == "train":
            seen[path.name] = [[shape.kind, 1.0, *shape.box] for shape in scene.shapes]
    write_boxes(boxes, folder / "boxes.json.gz")
    if uncaptioned:
        write_detections(seen, folder / "detections.json.gz")
        (folder / "texts.txt").write_text("".join(f"{text}\n" for text in _texts(counts.get("train", 0) // 2, seed)))
    return write_dataset(examples, folder)


def _shows(scene: Scene, kind: str) -> bool:
    return any(shape.kind == kind for shape in scene.shapes)


def _texts(count: int, seed: int) -> Iterator[str]:
    """True captions of scenes that nobody draws."""
    rng = np.random.default_rng([seed, len(SPLITS)])
    for _ in range(count):
        captions = captions_of(sample_scene(rng))
        yield captions[rng.integers(len(captions))]


def _scenes(counts: Mapping[str, int], seed: int, uncaptioned: str = "") -> Iterator[tuple[str, int, Scene]]:
    """(split, number, scene), no two scenes with the same shapes in the same places."""
    seen = set()
    for position, split in enumerate(SPLITS):
        rng = np.random.default_rng([seed, position])  # a split stays as it is when another one grows
        for number in range(counts.get(split, 0)):
            scene = sample_scene(rng)
            while frozenset(scene.shapes) in seen or (split == "dev" and _shows(scene, uncaptioned)):
                scene = sample_scene(rng)
            seen.add(frozenset(scene.shapes))
            yield split, number, scene


def _sample_looks(rng: np.random.Generator) -> list[tuple[str, str, str]]:
    look, other = _sample_look(rng), _sample_look(rng)
    if other != look and rng.random() < PAIRS:
        return [look, other]
    return [look] * int(rng.choice(list(ALIKE), p=list(ALIKE.values())))


def _sample_look(rng: np.random.Generator) -> tuple[str, str, str]:
    return tuple(list(names)[rng.integers(len(names))] for names in (SIZES, COLOURS, PLURALS))


def _place(looks: Sequence[tuple[str, str, str]], rng: np.random.Generator) -> tuple[Shape, ...]:
    """Shapes of random extent and tilt, at places tried until they stand apart and in a clear relation."""
    tilts = [0.0 if kind == "circle" else round(float(rng.uniform(-TILT, TILT)), 1) for _, _, kind in looks]
    extents = [_extent(look[2], tilt) * rng.uniform(*SIZES[look[0]]) for look, tilt in zip(looks, tilts, strict=True)]
    while True:
        shapes = []
        for (size, colour, kind), tilt, extent in zip(looks, tilts, extents, strict=True):
            corner = rng.uniform(MARGIN, 1 - MARGIN - extent)
            box = tuple(np.concatenate([corner, corner + extent]).round(4).tolist())
            shapes.append(Shape(kind, colour, size, box, tilt))
        apart = all(_gap(*pair) >= GAP for pair in itertools.combinations(shapes, 2))
        if apart and (len(set(looks)) == 1 or _relation(*shapes)):
            return tuple(shapes)


def _gap(first: Shape, second: Shape) -> float:
    """Space between two boxes along the axis that parts them best; negative where they overlap."""
    a, b = first.box, second.box
    return max(b[0] - a[2], a[0] - b[2], b[1] - a[3], a[1] - b[3])


def _relation(first: Shape, second: Shape) -> str | None:
    """Where the first stands, seen from the second; None where neither axis clearly wins."""
    a, b = first.box, second.box
    across, down = a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]
    if abs(down) >= DOMINANCE * abs(across):
        return "above" if down < 0 else "below"
    if abs(across) >= DOMINANCE * abs(down):
        return "left of" if across < 0 else "right of"
    return None


def _singular(shape: Shape) -> str:
    return f"a {shape.size} {shape.colour} {shape.kind}"


def _outline(kind: str, tilt: float) -> np.ndarray:
    """Corners of a shape about the origin, y pointing down: (corners, 2), in no particular unit."""
    if kind == "cross":
        quarter = np.array([-0.34 - 1j, 0.34 - 1j, 0.34 - 0.34j])
        corners = np.concatenate([quarter * 1j**turn for turn in range(4)])
    else:
        radii = {"circle": [1.0] * 72, "square": [1.0] * 4, "triangle": [1.0] * 3, "star": [1.0, 0.45] * 5}[kind]
        first = -45.0 if kind == "square" else -90.0  # -90 is straight up
        corners = np.array(radii) * np.exp(1j * np.radians(first + np.arange(len(radii)) * 360.0 / len(radii)))
    corners = corners * np.exp(1j * np.radians(tilt))
    return np.stack([corners.real, corners.imag], axis=1)


def _extent(kind: str, tilt: float) -> np.ndarray:
    """(width, height) of a shape whose longer side is 1."""
    extent = np.ptp(_outline(kind, tilt), axis=0)
    return extent / extent.max()


def _mask(shape: Shape, image_size: int) -> tuple[tuple[int, int], Image.Image]:
    """The pixel where the shape starts, and how much of each pixel from there it covers: "L", 255 for all of it."""
    corners = _outline(shape.kind, shape.tilt)
    corners = (corners - corners.min(axis=0)) / np.ptp(corners, axis=0)
    left, top, right, bottom = shape.box
    corners = (corners * (right - left, bottom - top) + (left, top)) * image_size
    start = np.floor(corners.min(axis=0)).astype(int)
    size = np.ceil(corners.max(axis=0)).astype(int) - start
    mask = Image.new("L", tuple((size * OVERSAMPLE).tolist()))
    # Pillow counts from the middle of the first pixel, boxes from its corner.
    points = (corners - start) * OVERSAMPLE - 0.5
    ImageDraw.Draw(mask).polygon([tuple(point) for point in points.tolist()], fill=255)
    return tuple(start.tolist()), mask.reduce(OVERSAMPLE)
