"""What the page says of a model beside its captions."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from demo.cards import is_drawn, summary, warning

SHAPES = "# models/shapes\n\nCaptions generated scenes of coloured\nshapes, with masks. For teaching.\n\n| a |"
PHOTOS = "# models/photos\n\nCaptions photos of people. It succeeds another.\n"


def test_the_first_sentence_of_a_card_is_its_summary():
    assert summary(SHAPES) == "Captions generated scenes of coloured shapes, with masks."
    assert summary("") == ""


def test_flat_colours_are_a_drawing_and_noise_is_none():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert is_drawn(Image.new("RGB", (90, 60), "red")) and not is_drawn(Image.fromarray(noise))


def test_examples_of_the_page_are_photos(root):
    for path in sorted((root / "demo/examples").glob("*.jpg")):
        assert not is_drawn(Image.open(path)), path.name


@pytest.mark.parametrize(("card", "drawn", "said"), [(SHAPES, False, "drawn shapes"), (PHOTOS, True, "photos")])
def test_a_picture_of_another_kind_gets_a_warning(card, drawn, said):
    assert said in warning(card, drawn) and warning(card, not drawn) is None
