"""What a model knows and does not, in a line beside its captions, and its whole card for who wants to read it."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from demo.models import Models

SCENES = "generated scenes"  # so the card of a model that knows nothing else puts it
SIDE = 64
FEW_COLOURS = 4
FLAT = 0.85  # share of a picture that a few colours fill where it was drawn; photos have far more


def about(models: Models, name: str, picture: Image.Image) -> dict[str, Any]:
    """What to say of a model beside its caption of a picture.

    Args:
        models: that the page offers.
        name: of the model; the default for an empty one.
        picture: the captioned one, RGB.

    Returns:
        JSON-ready: `text`, one line; `card`, the address of its card, None where it has none; `warning`, where the
        picture is of another kind than those the model was made for, else None.
    """
    name = name or models.default
    card = models.card(name)
    purpose = summary(card)
    limits = "It knows only what its training showed it, and says the likeliest of that about everything else."
    return {
        "text": f"{name}: {purpose} {limits}" if purpose else limits,
        "card": f"/card/{name}" if card else None,
        "warning": warning(card, is_drawn(picture)),
    }


def summary(card: str) -> str:
    """The first sentence below the title of a card; empty where there is none."""
    paragraphs = [part for part in card.split("\n\n") if part.strip() and not part.startswith("#")]
    return " ".join(paragraphs[0].split()).split(". ")[0].rstrip(".") + "." if paragraphs else ""


def knows_scenes(card: str) -> bool:
    """Whether a model was made for drawn scenes of shapes."""
    return SCENES in summary(card)


def warning(card: str, drawn: bool) -> str | None:
    """What to say where a model meets another kind of picture than its own."""
    if not card:
        return None
    if knows_scenes(card):
        return None if drawn else "Made for drawn shapes: what it says of a photo means nothing."
    return "Made for photos: this looks like a drawing, which it has hardly met." if drawn else None


def is_drawn(picture: Image.Image) -> bool:
    """Whether a few flat colours fill nearly all of a picture."""
    small = np.asarray(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.NEAREST)).reshape(-1, 3) // 32
    _, counts = np.unique(small, axis=0, return_counts=True)
    return bool(np.sort(counts)[-FEW_COLOURS:].sum() >= FLAT * len(small))
