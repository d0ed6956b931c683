"""Draw the pictures and fill the tables of docs/attention.md from what training.compare left in a folder.

PYTHONPATH=. python docs/make_attention.py WORKDIR, from the top of the checkout.
"""

from __future__ import annotations

import collections
import pathlib
import re
import sys

import matplotlib
import matplotlib.figure
import numpy as np
from PIL import Image, ImageDraw

from captioner import Captioner
from captioner.caption import Caption
from captioner.drawing import GREY, INK, PAPER, typeface, word_picture
from captioner.folders.folder import read_json
from captioner.vocabulary import split_words
from training.comparison.mechanisms import DEFAULT, MECHANISMS
from training.evaluation.metrics import bleu
from training.reports.charts import COLOURS, STYLE
from training.shapes import Scene, captions_of, draw_scene, sample_scene

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "attention.md"
IMAGES = ROOT / "docs" / "images" / "attention"
PHOTO, PHOTO_TEXT = ROOT / "demo" / "examples" / "dog.jpg", "a brown dog running in the grass"
SIDE, GAP, TITLE = 104, 6, 190
GROUPS = 4  # of dev pictures by the length of their captions
# Whose captions are held against each other by length: panel, data, passes of the configured steps, mechanisms.
LENGTHS = (
    ("photos, 1,500 steps", "flickr8k", 2, (DEFAULT, "self_attention_2", "mean")),
    ("generated shapes, 750 steps", "shapes", 1, (DEFAULT, "word", "mean")),
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


def masks(workdir: pathlib.Path, arena: str, name: str) -> Caption | None:
    """The words of the page's caption with the masks of one mechanism; None where it was not trained."""
    folder = workdir / "models" / f"{arena}-{name}-1-0"
    if not folder.is_dir():
        return None
    captioner = Captioner.from_pretrained(folder)
    if arena == "flickr8k":
        return captioner.score(PHOTO, PHOTO_TEXT)
    return captioner.score(draw_scene(scene(), 256), captions_of(scene())[0])


def draw_masks(workdir: pathlib.Path, part: str, arena: str) -> pathlib.Path | None:
    """The default's masks, and below them those of each mechanism of one part; each row on its own scale."""
    names = [DEFAULT, *(name for name, m in MECHANISMS.items() if m.part == part and name != DEFAULT)]
    rows = [(MECHANISMS[name].title, caption) for name in names if (caption := masks(workdir, arena, name))]
    if len(rows) < 2:
        return None
    words = [word.text for word in rows[0][1].words]
    sheet = Image.new("RGB", (TITLE + len(words) * (SIDE + GAP), 26 + len(rows) * (SIDE + GAP)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, word in enumerate(words):
        draw.text((TITLE + column * (SIDE + GAP), 4), word, INK, typeface(15))
    for line, (title, caption) in enumerate(rows):
        top = 26 + line * (SIDE + GAP)
        for place, text in enumerate(_broken(title)):
            draw.text((0, top + 30 + 19 * place), text, INK, typeface(15))
        entropy = np.mean([-(w.mask * np.log(w.mask + 1e-12)).sum() / np.log(w.mask.size) for w in caption.words])
        draw.text((0, top + 74), f"entropy {entropy:.2f}", GREY, typeface(13))
        for column in range(len(words)):
            small = word_picture(caption, column, 4 * SIDE).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (TITLE + column * (SIDE + GAP), top))
    path = IMAGES / f"{part}_{arena}.jpg"
    sheet.save(path, quality=84, optimize=True)
    return path


def _broken(title: str) -> list[str]:
    """A title in lines of at most 24 letters."""
    lines = [""]
    for word in title.split():
        if len(lines[-1]) + len(word) > 23 and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


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


def main(workdir: pathlib.Path) -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    rows = [read_json(path) for path in sorted(workdir.glob("rows/*.json"))]
    text = PAGE.read_text(encoding="utf-8")
    for part in dict.fromkeys(mechanism.part for mechanism in MECHANISMS.values()):
        sheets = [path for arena in ("flickr8k", "shapes") if (path := draw_masks(workdir, part, arena))]
        pictures = "\n\n".join(f"![Masks of the same words](images/attention/{path.name})" for path in sheets)
        text = fill(text, f"masks: {part}", pictures)
    text = fill(text, "table", table(rows))
    text = fill(text, "longer", longer_table(rows))
    if draw_lengths(workdir):
        text = fill(text, "lengths", "![BLEU-4 by caption length](images/attention/length.png)")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
