"""Draw the pictures and fill the tables of docs/attention.md.

PYTHONPATH=. python docs/make_attention.py [WORKDIR], from the top of the checkout. WORKDIR is what training.compare
left; without it only the figures of the models that ship are drawn.
"""

from __future__ import annotations

import collections
import pathlib
import re
import sys
import textwrap

import matplotlib
import matplotlib.figure
import numpy as np
from PIL import Image, ImageDraw, ImageOps

from captioner import Captioner
from captioner.caption import Caption
from captioner.drawing import GREY, INK, PAPER, overlay, typeface
from captioner.folders.folder import read_json
from captioner.pictures.geometry import map_to_picture
from captioner.vocabulary import split_words
from training.comparison.mechanisms import DEFAULT, MECHANISMS
from training.evaluation.metrics import bleu
from training.reports.charts import COLOURS, STYLE
from training.shapes import Scene, captions_of, draw_scene, sample_scene

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "attention.md"
IMAGES = ROOT / "docs" / "images" / "attention"
PHOTO, PHOTO_TEXT = ROOT / "demo" / "examples" / "astronaut.jpg", "a woman in a suit in front of a flag"
SHIPPED = {"flickr8k": "photos", "shapes": "shapes"}  # the model of each data set that explains the figures
SIDE, GAP, COLUMNS, BAR = 240, 6, 3, (120, 12)
ROW = SIDE + 72  # title and scale above a row of masks, the words below it
# What a row leaves out, to have room for things and colours.
LITTLE_WORDS = {"a", "an", "the", "in", "of", "on", "and", "front", "left", "right", "above", "below"}
LITTLE_WORDS |= {"small", "medium", "large"}
GROUPS = 4  # of dev pictures by the length of their captions
# Whose captions are held against each other by length: panel, data, passes of the configured steps, mechanisms.
LENGTHS = (
    ("photos, 1,500 steps", "flickr8k", 2, (DEFAULT, "self_attention_2", "mean")),
    ("generated shapes, 750 steps", "shapes", 1, (DEFAULT, "word", "mean")),
)

LENGTHS_ALT = (
    "Two charts of BLEU-4 by the mean number of words of a picture's references, each with curves for the default, for "
    "the best alternative and for no attention: on photos the curves run together, on shapes the one without attention "
    "falls"
)

# What a table shows: heading, key of a row, form.
FIGURES = (
    ("parameters", "parameters", "{:,}"),
    ("ms a step", "milliseconds_per_step", "{:.0f}"),
    ("ms a caption", "milliseconds_per_caption", "{:.1f}"),
)
PHOTOS = (("BLEU-4", "bleu_4", "{:.3f}"), ("CIDEr-D", "cider_d", "{:.3f}"), ("entropy", "mask_entropy", "{:.2f}"))
PHOTOS += (("point", "point_small", "{:.2f}"),)
SHAPES = (("exact", "exact", "{:.3f}"), ("point", "point_all", "{:.2f}"), ("entropy", "mask_entropy", "{:.2f}"))


def scene() -> Scene:
    """A large shape and a small one, the same at every call."""
    rng = np.random.default_rng(11)
    return next(s for s in iter(lambda: sample_scene(rng), None) if len({shape.look for shape in s.shapes}) == 2)


def given(arena: str, captioner: Captioner) -> Caption:
    """The words of the page's caption, whoever would have written others, with the masks of one network."""
    if arena == "flickr8k":
        return captioner.score(PHOTO, PHOTO_TEXT)
    return captioner.score(draw_scene(scene(), 2 * SIDE), captions_of(scene())[0])


def draw_masks(workdir: pathlib.Path, part: str, arena: str) -> str | None:
    """The figure of one part of the page: the default's masks, and below them those of each mechanism of the part.

    Returns:
        Its Markdown; None where no two mechanisms were trained.
    """
    names = [DEFAULT, *(name for name, m in MECHANISMS.items() if m.part == part and name != DEFAULT)]
    folders = {name: workdir / "models" / f"{arena}-{name}-1-0" for name in names}
    rows = [
        (MECHANISMS[name].title, given(arena, Captioner.from_pretrained(folder)))
        for name, folder in folders.items()
        if folder.is_dir()
    ]
    return figure(f"{part}_{arena}", arena, rows) if len(rows) > 1 else None


def draw_shipped(arena: str, model: str) -> str:
    """The figure of a model that ships, by which the page explains how to read the others; its Markdown."""
    return figure(
        f"shipped_{arena}",
        arena,
        [(f"models/{model}", given(arena, Captioner.from_pretrained(ROOT / "models" / model)))],
    )


def figure(name: str, arena: str, rows: list[tuple[str, Caption]]) -> str:
    """Write IMAGES/name.jpg and return the Markdown that shows it, with a text of its own for who cannot see it."""
    shown = content_words(rows[0][1])
    sheet(rows, shown).save(IMAGES / f"{name}.jpg", quality=84, optimize=True)
    words = ", ".join(rows[0][1].words[index].text for index in shown)
    what = "a photo of an astronaut" if arena == "flickr8k" else "a scene of generated shapes"
    alt = f"{what.capitalize()}, untouched, then masks of the words {words} over it: {'; '.join(t for t, _ in rows)}"
    note = f"*“{rows[0][1].text}” on {what}. The untouched picture comes first; each row has its own colour scale.*"
    return f"![{alt}](images/attention/{name}.jpg)\n\n{note}"


def content_words(caption: Caption) -> list[int]:
    """Places of the first words of a caption that say what can be seen, as many as fit a row."""
    return [index for index, word in enumerate(caption.words) if word.text not in LITTLE_WORDS][:COLUMNS]


def sheet(rows: list[tuple[str, Caption]], shown: list[int]) -> Image.Image:
    """The untouched picture with its caption, then a row of masks for each mechanism, and the colour scale of each.

    Args:
        rows: title of each mechanism, and the caption with its masks.
        shown: places of the words whose masks are drawn.

    Returns:
        RGB picture with cells of SIDE pixels.
    """
    whole = Image.new("RGB", (COLUMNS * (SIDE + GAP) - GAP, SIDE + 2 * GAP + len(rows) * ROW), PAPER)
    whole.paste(_fitted(rows[0][1].image()), (0, 0))
    draw = ImageDraw.Draw(whole)
    for line, text in enumerate(textwrap.wrap(rows[0][1].sentence, 38)):
        draw.text((SIDE + 2 * GAP, GAP + 30 * line), text, INK, typeface(22))
    draw.text((SIDE + 2 * GAP, SIDE - 44), "left: the picture, untouched", GREY, typeface(16))
    draw.text((SIDE + 2 * GAP, SIDE - 22), "below: where the network looked", GREY, typeface(16))
    for line, (title, caption) in enumerate(rows):
        _draw_row(whole, draw, SIDE + 2 * GAP + line * ROW, title, caption, shown)
    return whole


def _draw_row(whole: Image.Image, draw: ImageDraw.ImageDraw, top: int, title: str, caption: Caption, shown) -> None:
    entropy = np.mean([-(w.mask * np.log(w.mask + 1e-12)).sum() / np.log(w.mask.size) for w in caption.words])
    words = [caption.words[index] for index in shown]
    peak = max(float(word.mask.max()) for word in words)
    draw.text((0, top + 4), title, INK, typeface(20))
    bar = np.broadcast_to(np.linspace(0, 1, BAR[0], dtype=np.float32), BAR[::-1])
    label = f"0 to {100 * peak:.0f} % in one cell; entropy {entropy:.2f}"
    left = whole.width - round(typeface(16).getlength(label))
    whole.paste(overlay(_pale(Image.new("RGB", BAR, "#808080")), bar, 1.0), (left - BAR[0] - GAP, top + 9))
    draw.text((left, top + 6), label, GREY, typeface(16))
    pale = _pale(_fitted(caption.image()))
    for column, word in enumerate(words):
        corner = (column * (SIDE + GAP), top + 34)
        whole.paste(overlay(pale, map_to_picture(word.mask, pale.size, caption.resize), peak), corner)
        draw.text((corner[0], corner[1] + SIDE + 4), word.text, INK, typeface(18))


def _fitted(picture: Image.Image) -> Image.Image:
    """The picture in its own proportions, at most SIDE pixels long."""
    picture = picture.copy()
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return picture


def _pale(picture: Image.Image) -> Image.Image:
    """The picture with faint colours and lightened, so that those of a mask stand out and little is in the dark."""
    faint = Image.blend(picture, ImageOps.grayscale(picture).convert("RGB"), 0.6)
    return Image.blend(faint, Image.new("RGB", faint.size, "white"), 0.45)


def by_length(captions: list[dict]) -> list[tuple[float, float]]:
    """(mean words of the references, corpus BLEU-4) of equal groups of pictures, those with short captions first."""
    length = lambda row: np.mean([len(split_words(text)) for text in row["references"]])
    ordered = sorted(captions, key=length)
    groups = np.array_split(np.arange(len(ordered)), GROUPS)
    found = []
    for group in groups:
        rows = [ordered[i] for i in group]
        references = [[split_words(text) for text in row["references"]] for row in rows]
        score = bleu([split_words(row["caption"]) for row in rows], references)[3]
        found.append((float(np.mean([length(row) for row in rows])), score))
    return found


def draw_lengths(workdir: pathlib.Path) -> bool:
    """BLEU-4 by caption length, with attention and without, a panel for each data set; the mean of the seeds."""
    panels = [(title, _curves(workdir, arena, passes, names)) for title, arena, passes, names in LENGTHS]
    if not all(len(curves) > 1 for _, curves in panels):
        return False
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(9.6, 3.4), layout="constrained", facecolor="white")
        for axes, (title, curves) in zip(figure.subplots(1, len(panels)), panels, strict=True):
            for colour, (label, points) in zip(COLOURS, curves.items(), strict=False):
                axes.plot(points[:, 0], points[:, 1], color=colour, linewidth=2, marker="o", markersize=5, label=label)
            axes.set_title(title, loc="left")
            axes.set_xlabel("mean words of a picture's references")
            axes.set_ylabel("BLEU-4")
            axes.set_ylim(0, 1.1 * max(points[:, 1].max() for points in curves.values()))
            axes.legend(loc="lower left", frameon=False)
        figure.savefig(IMAGES / "length.png", dpi=160)
    return True


def _curves(workdir: pathlib.Path, arena: str, passes: int, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    found = {name: sorted(workdir.glob(f"captions/{arena}-{name}-{passes}-*.json")) for name in names}
    return {
        MECHANISMS[name].title: np.mean([by_length(read_json(path)) for path in files], axis=0)
        for name, files in found.items()
        if files
    }


def table(rows: list[dict]) -> str:
    """One line a mechanism: cost, photos, shapes."""
    found = {(row["arena"], row["mechanism"]): row for row in rows if row["passes"] == 1}
    base = found.get(("flickr8k", DEFAULT), {}).get("parameters")
    heads = [name for name, _, _ in FIGURES] + [f"{n}" for n, _, _ in PHOTOS] + [f"shapes: {n}" for n, _, _ in SHAPES]
    lines = ["| mechanism | " + " | ".join(heads) + " |", "|" + " --- |" * (len(heads) + 1)]
    for name, mechanism in MECHANISMS.items():
        photos, shapes = found.get(("flickr8k", name)), found.get(("shapes", name))
        if photos or shapes:
            cells = _cells(photos, (*FIGURES, *PHOTOS)) + _cells(shapes, SHAPES)
            if photos and base and abs(photos["parameters"] / base - 1) > 0.1:
                cells[0] += f" ({100 * photos['parameters'] / base:.0f} %)"
            lines.append("| " + " | ".join([mechanism.title, *cells]) + " |")
    return "\n".join(lines)


def _cells(row: dict | None, columns) -> list[str]:
    return [form.format(row[key]) if row and key in row else "" for _, key, form in columns]


def longer_table(rows: list[dict]) -> str:
    """The runs of twice the steps: mean and both seeds."""
    found = collections.defaultdict(list)
    for row in rows:
        if row["passes"] == 2:
            found[row["mechanism"]].append(row)
    lines = ["| mechanism | CIDEr-D, mean | seeds | BLEU-4, mean | seeds |", "| --- | --- | --- | --- | --- |"]
    for name, of in sorted(found.items(), key=lambda item: -np.mean([row["cider_d"] for row in item[1]])):
        cells = []
        for key in ("cider_d", "bleu_4"):
            values = [row[key] for row in of]
            cells += [f"{np.mean(values):.3f}", ", ".join(f"{value:.3f}" for value in values)]
        lines.append(f"| {MECHANISMS[name].title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) if found else ""


def fill(text: str, mark: str, content: str) -> str:
    """Put content between `<!-- mark -->` and the `<!-- end -->` after it."""
    block = f"<!-- {mark} -->\n\n{content}\n\n<!-- end -->"
    return re.sub(rf"<!-- {re.escape(mark)} -->.*?<!-- end -->", lambda _: block, text, count=1, flags=re.DOTALL)


def main(workdir: pathlib.Path | None) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    text = PAGE.read_text(encoding="utf-8")
    text = fill(text, "shipped", "\n\n".join(draw_shipped(arena, model) for arena, model in SHIPPED.items()))
    if workdir:
        text = fill_comparison(text, workdir)
    PAGE.write_text(text, encoding="utf-8")


def fill_comparison(text: str, workdir: pathlib.Path) -> str:
    """The page with the figures and tables of a comparison; a figure that cannot be drawn stays as it is."""
    rows = [read_json(path) for path in sorted(workdir.glob("rows/*.json"))]
    for part in dict.fromkeys(mechanism.part for mechanism in MECHANISMS.values()):
        for arena in ("flickr8k", "shapes"):
            if markdown := draw_masks(workdir, part, arena):
                text = fill(text, f"masks: {part} {arena}", markdown)
    for mark, content in (("table", table(rows)), ("longer", longer_table(rows))):
        if content.count("\n") > 1:
            text = fill(text, mark, content)
    if draw_lengths(workdir):
        text = fill(text, "lengths", f"![{LENGTHS_ALT}](images/attention/length.png)")
    return text


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None)
