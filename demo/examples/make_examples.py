"""Render the drawn example pictures: python demo/examples/make_examples.py [FOLDER]

Bodies are chains of balls whose depth is computed per pixel and lit from one side; grass, snow and water are fractal
noise. Everything is drawn at twice its size and scaled down. The same seed gives the same pictures.
"""

from __future__ import annotations

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw

SCALE = 2
Limb = tuple[float, float, float, float, float, float, float, float, tuple[int, int, int]]


def blur(array: np.ndarray, radius: float) -> np.ndarray:
    """Three running means along both axes, close to a Gaussian of that radius in pixels."""
    size = max(1, int(radius))
    for axis in (0, 1) * 3:
        pad = [(0, 0)] * array.ndim
        pad[axis] = (size + 1, size)
        total = np.cumsum(np.pad(array, pad, mode="edge"), axis=axis, dtype=np.float64)
        count = array.shape[axis]
        upper = np.take(total, range(2 * size + 1, 2 * size + 1 + count), axis=axis)
        array = (upper - np.take(total, range(count), axis=axis)) / (2 * size + 1)
    return array


def noise(rng, size: tuple[int, int], cell: tuple[float, float], octaves: int = 4) -> np.ndarray:
    """Fractal noise, about -1 to 1, shape (height, width); `cell` is the width and height of its largest grain."""
    width, height = size
    total, weight = np.zeros((height, width)), 1.0
    for octave in range(octaves):
        grid = [max(2, int(side * 2**octave / grain) + 2) for side, grain in zip(size, cell, strict=True)]
        grains = Image.fromarray(rng.standard_normal((grid[1], grid[0])).astype(np.float32))
        total += weight * np.asarray(grains.resize(size, Image.Resampling.BICUBIC))
        weight *= 0.55
    return total / 2


def mix(below, above, share: np.ndarray) -> np.ndarray:
    """Lay a colour or picture over another; `share` (height, width) is 1 where it covers."""
    share = np.clip(share, 0, 1)[..., None]
    return np.asarray(below) * (1 - share) + np.asarray(above) * share


def ramp(size: tuple[int, int], stops: list[tuple[float, tuple[int, int, int]]]) -> np.ndarray:
    """Colours from top to bottom; stops are (share of the height, colour)."""
    places, colours = zip(*stops, strict=True)
    y = np.linspace(0, 1, size[1])
    rows = np.stack([np.interp(y, places, channel) for channel in zip(*colours, strict=True)], axis=1)
    return np.repeat(rows[:, None, :], size[0], axis=1)


def body(size: tuple[int, int], limbs: list[Limb]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth (height, width), colour and cover of limbs: x, y, depth and radius of both ends, and a colour."""
    y, x = np.mgrid[: size[1], : size[0]].astype(np.float32)
    weight = np.full((size[1], size[0]), 1e-12)
    depth, colour = np.zeros_like(weight), np.zeros((size[1], size[0], 3))
    cover = np.zeros_like(weight)
    for x0, y0, z0, r0, x1, y1, z1, r1, tint in limbs:
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-6)
        along = np.clip(along, 0, 1)
        radius = r0 + (r1 - r0) * along
        distance = np.hypot(x - x0 - (x1 - x0) * along, y - y0 - (y1 - y0) * along)
        inside = np.clip(radius - distance + 0.5, 0, 1)
        height = z0 + (z1 - z0) * along + np.sqrt(np.maximum(radius**2 - distance**2, 0))
        share = inside * np.exp(np.clip(height / (5 * SCALE), -40, 60))
        weight += share
        depth += share * height
        colour += share[..., None] * np.asarray(tint)
        cover = np.maximum(cover, inside)
    return depth / weight, colour / weight[..., None], cover


def lit(
    depth: np.ndarray, colour: np.ndarray, bumps: np.ndarray, light=(-0.5, -0.7, 0.55), soft: float = 2.5
) -> np.ndarray:
    """Colours of a body under a sun and a blue sky; `bumps` roughens its surface."""
    slope_y, slope_x = np.gradient(blur(depth, soft * SCALE) + bumps)
    normal = np.stack([-slope_x, -slope_y, np.ones_like(depth)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    sun = np.clip(normal @ (np.asarray(light) / np.linalg.norm(light)), 0, 1)[..., None]
    sky = (0.5 - 0.5 * normal[..., 1])[..., None]
    return colour * (0.16 + 1.0 * sun * np.array([1.08, 1.0, 0.88]) + 0.34 * sky * np.array([0.85, 0.95, 1.2]))


def finish(rng, picture: np.ndarray, path: pathlib.Path) -> None:
    """Scale down, darken the corners a little, add the grain of a sensor, write a JPEG."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = picture * (1 - 0.16 * (x**2 + y**2) ** 1.2 / 2)[..., None]
    small = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).resize(
        (width // SCALE, height // SCALE), Image.Resampling.LANCZOS
    )
    grain = rng.normal(0, 2.2, (small.height, small.width, 1))
    Image.fromarray(np.clip(np.asarray(small) + grain, 0, 255).astype(np.uint8)).save(path, quality=86, optimize=True)


def scaled(limbs: list[tuple], left: float, top: float, size: float) -> list[Limb]:
    """Limbs drawn around (0, 0) in their own unit, put at (left, top) of the picture; `size` pixels to the unit."""
    size *= SCALE
    x, y = left * SCALE, top * SCALE
    return [
        (x + a * size, y + b * size, c * size, d * size, x + e * size, y + f * size, g * size, h * size, tint)
        for a, b, c, d, e, f, g, h, tint in limbs
    ]


def blades(rng, size, rows: tuple[float, float], count: int, length: tuple[float, float], bright: float) -> np.ndarray:
    """A layer of grass, RGBA: `count` blades rooted between two heights, longer towards the viewer."""
    layer = Image.new("RGBA", size)
    draw = ImageDraw.Draw(layer)
    roots = np.sort(rng.uniform(rows[0], rows[1], count))
    for root in roots:
        near = (root - rows[0]) / (rows[1] - rows[0])
        x, y = rng.uniform(-20, size[0] + 20), root * size[1]
        tall = (length[0] + (length[1] - length[0]) * near) * rng.uniform(0.5, 1.2) * SCALE
        lean = rng.normal(0.1, 0.35) * tall
        tone = bright * rng.uniform(0.55, 1.25)
        colour = tuple(int(min(255, c * tone)) for c in (116 + rng.normal(0, 24), 146 + rng.normal(0, 14), 58))
        wide = max(1.0, tall * 0.035)
        middle = (x + 0.35 * lean, y - 0.6 * tall)
        tip = (x + lean, y - tall)
        draw.polygon([(x - wide, y), middle, tip, (middle[0] + wide, middle[1]), (x + wide, y)], fill=(*colour, 255))
    return np.asarray(layer, np.float64)


def lay(picture: np.ndarray, layer: np.ndarray, radius: float = 0) -> np.ndarray:
    """Lay an RGBA layer over a picture, out of focus if `radius` is above 0."""
    alpha = layer[..., 3] / 255
    colour = layer[..., :3] * alpha[..., None]
    if radius:
        alpha, colour = blur(alpha, radius * SCALE), blur(colour, radius * SCALE)
    return picture * (1 - alpha)[..., None] + colour


def shadow(size, x: float, y: float, wide: float, high: float, strength: float) -> np.ndarray:
    """Cover of a soft shadow on the ground around (x, y)."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    place = ((columns / SCALE - x) / wide) ** 2 + ((rows / SCALE - y) / high) ** 2
    return strength * np.exp(-(place**1.5))


def dog_on_grass(path: pathlib.Path) -> None:
    """A brown dog stands on a meadow."""
    rng = np.random.default_rng(3)
    size = (880 * SCALE, 620 * SCALE)
    picture = ramp(size, [(0, (164, 196, 226)), (0.2, (206, 220, 222)), (0.42, (150, 170, 96)), (1, (62, 96, 30))])
    leaves = noise(rng, size, (220 * SCALE, 160 * SCALE), 6)
    y = np.linspace(0, 1, size[1])[:, None]
    trees = np.clip((leaves + 0.75 - 7 * np.maximum(0.25 - y, 0)) * 2.2, 0, 1) * (y < 0.43)
    tones = np.array([58, 88, 44]) + 46 * noise(rng, size, (60 * SCALE, 60 * SCALE), 5)[..., None] * np.array(
        [1, 1, 0.6]
    )
    picture = blur(mix(picture, tones, trees), 7 * SCALE)
    meadow = noise(rng, size, (300 * SCALE, 40 * SCALE), 6)
    picture = mix(picture, picture * (1 + 0.35 * meadow[..., None]), np.broadcast_to((y - 0.43) * 12, meadow.shape))
    picture = lay(picture, blades(rng, size, (0.425, 0.55), 12000, (5, 14), 1.25), 2.5)
    picture = lay(picture, blades(rng, size, (0.52, 0.84), 15000, (14, 38), 1.05), 0.8)
    picture = mix(picture, (18, 30, 10), shadow(size, 440, 508, 215, 26, 0.75))
    coat, dark, light, nose = (146, 100, 62), (104, 68, 42), (214, 190, 158), (30, 24, 22)
    dog = [
        (-1.35, -1.95, 0.0, 0.50, 0.75, -2.0, 0.0, 0.60, coat),
        (0.55, -1.95, 0.05, 0.66, 0.95, -1.85, 0.05, 0.55, coat),
        (-0.2, -1.62, 0.0, 0.42, 0.7, -1.5, 0.0, 0.45, light),
        (-1.45, -1.75, 0.2, 0.46, -1.35, -1.1, 0.2, 0.27, coat),
        (-1.35, -1.1, 0.2, 0.25, -1.62, -0.62, 0.2, 0.14, coat),
        (-1.62, -0.62, 0.2, 0.14, -1.5, -0.1, 0.2, 0.12, coat),
        (-1.5, -0.08, 0.2, 0.13, -1.32, -0.04, 0.2, 0.11, light),
        (-1.3, -1.4, -0.5, 0.33, -1.18, -0.7, -0.5, 0.15, dark),
        (-1.18, -0.7, -0.5, 0.14, -1.1, -0.15, -0.5, 0.12, dark),
        (0.85, -1.6, 0.25, 0.36, 0.78, -0.8, 0.25, 0.18, coat),
        (0.78, -0.8, 0.25, 0.17, 0.82, -0.1, 0.25, 0.13, coat),
        (0.82, -0.07, 0.25, 0.14, 1.0, -0.04, 0.25, 0.11, light),
        (1.05, -1.5, -0.5, 0.26, 1.2, -0.75, -0.5, 0.15, dark),
        (1.2, -0.75, -0.5, 0.14, 1.17, -0.15, -0.5, 0.12, dark),
        (0.8, -2.15, 0.1, 0.52, 1.38, -2.92, 0.15, 0.37, coat),
        (1.5, -3.1, 0.2, 0.44, 1.62, -3.08, 0.25, 0.42, coat),
        (1.72, -2.98, 0.3, 0.30, 2.22, -2.86, 0.35, 0.19, coat),
        (1.8, -2.88, 0.32, 0.22, 2.2, -2.78, 0.35, 0.15, light),
        (2.33, -2.93, 0.42, 0.085, 2.37, -2.92, 0.42, 0.075, nose),
        (1.32, -3.3, 0.5, 0.17, 1.2, -2.72, 0.55, 0.19, dark),
        (1.2, -2.75, 0.55, 0.19, 1.28, -2.55, 0.52, 0.11, dark),
        (1.83, -3.14, 0.58, 0.075, 1.84, -3.14, 0.58, 0.07, nose),
        (-1.75, -2.1, 0.0, 0.17, -2.2, -2.62, 0.0, 0.14, coat),
        (-2.2, -2.62, 0.0, 0.14, -2.36, -3.2, 0.0, 0.08, light),
    ]
    depth, colour, cover = body(size, scaled(dog, 425, 520, 112))
    fur = noise(rng, size, (26 * SCALE, 7 * SCALE), 4)
    patches = noise(rng, size, (160 * SCALE, 120 * SCALE), 3)
    colour = colour * (1 + 0.13 * fur + 0.10 * patches)[..., None]
    edge = cover * np.clip(blur(cover, 2 * SCALE) * 2.2 - 0.75 + 0.35 * fur, 0, 1)
    picture = mix(picture, lit(depth, colour, 1.0 * fur, soft=3.5), edge)
    glint = shadow(size, 631, 167, 2.2, 2.2, 0.9)
    picture = mix(picture, (255, 255, 255), glint)
    picture = lay(picture, blades(rng, size, (0.82, 0.90), 3200, (30, 52), 1.0), 0.5)
    picture = lay(picture, blades(rng, size, (0.95, 1.15), 2600, (70, 130), 1.0), 5)
    finish(rng, picture, path)


def skier_on_snow(path: pathlib.Path) -> None:
    """A skier in a red jacket on a snowy slope before mountains."""
    rng = np.random.default_rng(11)
    size = (620 * SCALE, 840 * SCALE)
    y = np.linspace(0, 1, size[1])[:, None]
    picture = ramp(size, [(0, (38, 92, 170)), (0.25, (96, 152, 214)), (0.45, (190, 216, 238)), (1, (225, 235, 246))])
    clouds = np.clip(noise(rng, size, (420 * SCALE, 110 * SCALE), 6) - 0.15, 0, 1) * (y < 0.4)
    picture = mix(picture, (246, 249, 252), 0.75 * clouds)
    for base, rough, haze in ((0.36, 0.15, 0.45), (0.47, 0.13, 0.15)):
        top = base - rough * noise(rng, (size[0], 2), (260 * SCALE, 4), 7)[0]
        rock = noise(rng, size, (120 * SCALE, 150 * SCALE), 7)
        slope = np.gradient(blur(rock, 2 * SCALE), axis=1) * 26 * SCALE
        below = np.clip((y - top) * 40, 0, 1)
        steep = np.clip((rock - 0.05) * 3 - (y - top) * 3, 0, 1)
        snow = mix(np.full((*rock.shape, 3), (150, 176, 214.0)), (250, 251, 253), 0.5 + slope)
        face = mix(snow, np.array([78, 82, 94]) * (1 + 0.5 * slope[..., None]), steep)
        picture = mix(
            picture,
            mix(face, (168, 198, 228), np.full(rock.shape, haze)),
            np.clip((y - top) * size[1] / 3, 0, 1) * below,
        )
    picture = blur(picture, 1.6 * SCALE)
    x = np.linspace(0, 1, size[0])[None, :]
    edge = 0.60 + 0.14 * x - 0.03 * np.sin(5 * x) + 0.006 * noise(rng, (size[0], 2), (90 * SCALE, 4), 4)[0]
    drifts = noise(rng, size, (420 * SCALE, 90 * SCALE), 6)
    relief = np.gradient(blur(drifts, 3 * SCALE), axis=0) * 34 * SCALE
    slope = mix(np.full((*drifts.shape, 3), (176, 200, 232.0)), (253, 253, 252), 0.72 + relief)
    slope *= (1 + 0.05 * (y - 0.6))[..., None]
    sparkle = (rng.random(drifts.shape) > 0.9992) * 1.0
    slope = mix(slope, (255, 255, 255), blur(sparkle, 1) * 6)
    picture = mix(picture, slope, np.clip((y - edge) * size[1] / 4, 0, 1))
    tracks = Image.new("L", size)
    draw = ImageDraw.Draw(tracks)
    for shift in (0, 16):
        way = [
            ((262 + shift - 270 * t**1.5 + 26 * np.sin(7 * t)) * SCALE, (662 + 190 * t) * SCALE)
            for t in np.linspace(0, 1, 60)
        ]
        draw.line(way, fill=150, width=4 * SCALE)
    picture = mix(picture, (142, 172, 214), blur(np.asarray(tracks, np.float64) / 255, 1 * SCALE))
    cast = Image.new("L", size)
    ImageDraw.Draw(cast).polygon(
        [(s * SCALE, t * SCALE) for s, t in ((250, 668), (360, 672), (560, 742), (520, 762), (440, 736))], fill=255
    )
    picture = mix(picture, (118, 150, 200), 0.75 * blur(np.asarray(cast, np.float64) / 255, 7 * SCALE))
    red, trousers, boot, skin, helmet, pack, glove = (
        (206, 34, 36),
        (38, 44, 62),
        (50, 50, 54),
        (214, 164, 132),
        (236, 236, 238),
        (40, 74, 140),
        (28, 28, 32),
    )
    skier = [
        (-0.2, -0.95, 0.1, 0.24, -0.05, -0.52, 0.25, 0.19, trousers),
        (-0.05, -0.52, 0.25, 0.18, -0.28, -0.12, 0.2, 0.14, trousers),
        (0.18, -0.95, -0.1, 0.24, 0.42, -0.55, 0.0, 0.19, trousers),
        (0.42, -0.55, 0.0, 0.18, 0.24, -0.12, 0.0, 0.14, trousers),
        (-0.3, -0.08, 0.2, 0.13, -0.14, -0.04, 0.2, 0.12, boot),
        (0.22, -0.08, 0.0, 0.13, 0.38, -0.04, 0.0, 0.12, boot),
        (-0.02, -1.02, 0.1, 0.30, 0.12, -1.62, 0.1, 0.34, red),
        (0.0, -1.6, 0.1, 0.24, 0.28, -1.62, 0.1, 0.24, red),
        (-0.26, -1.2, 0.05, 0.22, -0.18, -1.6, 0.05, 0.22, pack),
        (-0.05, -1.68, 0.35, 0.16, -0.34, -1.28, 0.5, 0.13, red),
        (-0.34, -1.28, 0.5, 0.13, -0.06, -1.0, 0.65, 0.11, red),
        (-0.04, -0.98, 0.68, 0.10, 0.0, -0.95, 0.7, 0.09, glove),
        (0.36, -1.66, 0.0, 0.16, 0.62, -1.26, 0.1, 0.13, red),
        (0.62, -1.26, 0.1, 0.13, 0.86, -1.08, 0.2, 0.11, red),
        (0.89, -1.06, 0.22, 0.10, 0.93, -1.05, 0.22, 0.09, glove),
        (0.16, -1.84, 0.1, 0.13, 0.18, -1.95, 0.1, 0.13, skin),
        (0.2, -2.06, 0.12, 0.17, 0.24, -2.0, 0.14, 0.15, skin),
        (0.17, -2.14, 0.16, 0.20, 0.22, -2.12, 0.16, 0.19, helmet),
        (0.34, -2.08, 0.24, 0.06, 0.38, -2.05, 0.22, 0.05, glove),
    ]
    gear = Image.new("RGBA", size)
    draw = ImageDraw.Draw(gear)
    spot = lambda a, b: ((296 + 108 * a) * SCALE, (672 + 108 * b) * SCALE)
    for ends, colour, wide in (
        ((spot(-1.15, 0.05), spot(0.75, 0.12), spot(0.92, 0.04)), (232, 176, 30, 255), 7),
        ((spot(-0.6, -0.03), spot(1.25, 0.04), spot(1.42, -0.04)), (232, 176, 30, 255), 7),
        ((spot(0.0, -0.97), spot(-0.62, 0.02)), (60, 62, 70, 255), 3),
        ((spot(0.91, -1.06), spot(1.02, 0.05)), (60, 62, 70, 255), 3),
    ):
        draw.line(ends, fill=colour, width=wide * SCALE, joint="curve")
    picture = lay(picture, np.asarray(gear, np.float64))
    depth, colour, cover = body(size, scaled(skier, 296, 672, 108))
    folds = noise(rng, size, (26 * SCALE, 20 * SCALE), 4)
    picture = mix(picture, lit(depth, colour, 3.0 * folds, light=(-0.75, -0.55, 0.45), soft=1.5), cover)
    finish(rng, picture, path)


def surfer_on_wave(path: pathlib.Path) -> None:
    """A surfer in a black wetsuit rides a wave."""
    rng = np.random.default_rng(5)
    size = (900 * SCALE, 580 * SCALE)
    rows, columns = np.mgrid[: size[1], : size[0]] / SCALE
    picture = ramp(size, [(0, (120, 176, 220)), (0.22, (206, 226, 238)), (0.23, (70, 118, 150)), (1, (16, 78, 104))])
    swell = noise(rng, size, (260 * SCALE, 16 * SCALE), 6)
    picture = mix(picture, picture * (1 + 0.4 * swell[..., None]), np.clip((rows - 133) / 6, 0, 1))
    crest = 118 + 60 * np.tanh((columns - 520) / 220)
    crest = crest + 8 * noise(rng, (size[0], 2), (160 * SCALE, 4), 4)[0]
    foot = 440 + 26 * np.sin(columns / 170)
    face = np.clip((rows - crest) / 3, 0, 1) * np.clip((foot - rows) / 90 + 0.5, 0, 1)
    up = np.clip((rows - crest) / (foot - crest), 0, 1)
    streaks = noise(rng, size, (26 * SCALE, 200 * SCALE), 6)
    fine = noise(rng, size, (90 * SCALE, 12 * SCALE), 5)
    water = np.stack(
        [
            np.interp(up, [0, 0.12, 0.5, 1], stop)
            for stop in ((96, 44, 14, 12), (196, 158, 104, 66), (186, 166, 124, 92))
        ],
        axis=-1,
    )
    water *= (1 + 0.09 * streaks + 0.16 * fine)[..., None]
    glitter = np.clip(fine + 0.5 * streaks - 1.0, 0, 1) * (1 - up)
    picture = mix(picture, mix(water, (235, 248, 250), glitter), face)
    froth = noise(rng, size, (70 * SCALE, 46 * SCALE), 7)
    break_at = 250 + 34 * noise(rng, (2, size[1]), (4, 120 * SCALE), 4)[:, :1]
    tumble = np.clip((break_at - columns) / 60 + 0.9 * froth, 0, 1) * np.clip(
        (rows - crest + 26 + 30 * froth) / 24, 0, 1
    )
    tumble *= np.clip((500 + 40 * froth - rows) / 40, 0, 1)
    lip = np.exp(-(((rows - crest - 3) / (9 + 5 * froth)) ** 2)) * np.clip(
        0.75 + 0.8 * froth - (columns - 260) / 560, 0, 1
    )
    relief = np.gradient(blur(froth, 2 * SCALE), axis=0) * 16 * SCALE
    foam = mix(np.full((*froth.shape, 3), (168, 196, 210.0)), (252, 254, 255), 0.62 + relief)
    picture = mix(picture, foam, np.maximum(tumble, lip))
    lace = np.clip(1 - 7 * np.abs(noise(rng, size, (120 * SCALE, 34 * SCALE), 5)), 0, 1) * np.clip(
        (rows - 420) / 60, 0, 1
    )
    picture = mix(picture, (226, 240, 244), 0.35 * lace)
    spray = (
        (rng.random(froth.shape) > 0.9988)
        * np.exp(-(((rows - crest + 24) / 40) ** 2))
        * np.clip((520 - columns) / 400, 0, 1)
    )
    picture = mix(picture, (250, 253, 255), blur(spray, 1.4) * 9)
    picture = blur(picture, 0.6 * SCALE)

    board = Image.new("RGBA", size)
    draw = ImageDraw.Draw(board)
    edge = [
        ((455 + 118 * np.cos(a) + 6 * np.sin(a)) * SCALE, (381 - 20 * np.cos(a) + 11 * np.sin(a)) * SCALE)
        for a in np.linspace(0, 6.3, 90)
    ]
    draw.polygon(edge, fill=(244, 240, 226, 255))
    draw.line([((345) * SCALE, 399 * SCALE), (568 * SCALE, 361 * SCALE)], fill=(206, 66, 44, 255), width=4 * SCALE)
    picture = mix(picture, (8, 44, 60), shadow(size, 455, 398, 128, 16, 0.7))
    picture = lay(picture, np.asarray(board, np.float64), 0.4)
    suit, skin, hair, blue = (34, 36, 44), (206, 152, 116), (70, 46, 30), (36, 96, 168)
    surfer = [
        (-0.1, -0.98, 0.1, 0.21, -0.55, -0.62, 0.25, 0.17, suit),
        (-0.55, -0.62, 0.25, 0.17, -0.45, -0.14, 0.15, 0.11, suit),
        (-0.47, -0.08, 0.15, 0.09, -0.3, -0.05, 0.2, 0.08, skin),
        (0.05, -0.95, 0.0, 0.21, 0.52, -0.72, 0.1, 0.17, suit),
        (0.52, -0.72, 0.1, 0.16, 0.4, -0.24, 0.0, 0.11, suit),
        (0.4, -0.18, 0.0, 0.09, 0.56, -0.17, 0.05, 0.08, skin),
        (-0.05, -1.0, 0.1, 0.25, 0.3, -1.5, 0.15, 0.27, suit),
        (0.22, -1.28, 0.22, 0.2, 0.38, -1.5, 0.25, 0.2, blue),
        (0.36, -1.6, 0.15, 0.15, 0.86, -1.52, 0.3, 0.1, suit),
        (0.86, -1.52, 0.3, 0.1, 1.24, -1.66, 0.4, 0.075, suit),
        (1.28, -1.67, 0.42, 0.07, 1.36, -1.68, 0.42, 0.06, skin),
        (0.2, -1.58, 0.3, 0.15, -0.26, -1.6, 0.4, 0.1, suit),
        (-0.26, -1.6, 0.4, 0.1, -0.62, -1.86, 0.5, 0.075, suit),
        (-0.65, -1.88, 0.52, 0.07, -0.72, -1.93, 0.52, 0.06, skin),
        (0.42, -1.74, 0.15, 0.1, 0.46, -1.8, 0.15, 0.1, skin),
        (0.52, -1.9, 0.18, 0.155, 0.56, -1.86, 0.2, 0.14, skin),
        (0.40, -1.93, 0.26, 0.14, 0.50, -2.02, 0.24, 0.13, hair),
    ]
    depth, colour, cover = body(size, scaled(surfer, 440, 383, 104))
    wet = noise(rng, size, (22 * SCALE, 22 * SCALE), 4)
    sheen = np.clip(lit(depth, colour, 1.6 * wet, light=(0.4, -0.75, 0.5), soft=1.2) * 1.15, 0, 255)
    picture = mix(picture, sheen, cover)
    wake = (
        np.clip(0.6 + froth - np.abs(rows - 402 - 0.16 * (430 - columns)) / 13, 0, 1)
        * (columns < 470)
        * np.clip((columns - 180) / 80, 0, 1)
    )
    picture = mix(picture, (246, 251, 253), wake)
    finish(rng, picture, path)


def main(folder: pathlib.Path) -> None:
    """Write the three pictures."""
    dog_on_grass(folder / "dog.jpg")
    skier_on_snow(folder / "skier.jpg")
    surfer_on_wave(folder / "surfer.jpg")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
