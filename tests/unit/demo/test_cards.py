"""What the page says of a model beside its captions."""

from __future__ import annotations

import types

import numpy as np
import pytest
from PIL import Image

from captioner import Captioner
from demo.cards import is_drawn, summary, warning
from demo.models import Models
from demo.tabs import SCENE, example_pictures, label_of_examples

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
    assert is_drawn(Image.open(SCENE))


def test_the_page_says_which_examples_the_model_gets_wrong(root):
    captioner = Captioner.from_pretrained(root / "models" / "photos")
    said = {path.stem: captioner.caption(path).text.split() for path in (root / "demo/examples").glob("*.jpg")}
    assert "dog" in said["dog"] and "cow" in said["cow"] and {"bird", "duck"}.intersection(said["duck"])
    assert "woman" not in said["astronaut"] and "pig" not in said["pig"]
    label = lambda name: label_of_examples(types.SimpleNamespace(default=name))
    assert label("photos") == label("flickr8k") == "Examples; wrong on astronaut and pig" and label("own") == "Examples"


def test_what_a_visitor_meets_first_is_what_the_model_was_made_for(tmp_path):
    for name, card in (("shapes", SHAPES), ("photos", PHOTOS)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "README.md").write_text(card)
    offered = lambda name: example_pictures(Models(types.SimpleNamespace(name=name), tmp_path))
    assert offered("shapes")[0] == SCENE and SCENE not in offered("photos")
    (tmp_path / "shapes" / "manifest.json").touch()
    assert offered("photos")[-1] == SCENE


@pytest.mark.parametrize(("card", "drawn", "said"), [(SHAPES, False, "drawn shapes"), (PHOTOS, True, "photos")])
def test_a_picture_of_another_kind_gets_a_warning(card, drawn, said):
    assert said in warning(card, drawn) and warning(card, not drawn) is None
