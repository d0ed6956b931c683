"""Captions of mirrored pictures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.augment import mirror_boxes, mirror_words


@pytest.mark.parametrize(
    ("text", "mirrored"),
    [
        ("a dog on the left of a cat", "a dog on the right of a cat"),
        ("a man raises his right hand", "a man raises his left hand"),
        ("the leftmost of three cars turns right", "the rightmost of three cars turns left"),
        ("a left handed man", None),
        ("a lefthanded man runs clockwise", "a righthanded man runs counterclockwise"),
        ("looking left and right", "looking right and left"),
        ("a girl right next to a boy", None),
        ("he has left the room", None),
        ("a dog runs", "a dog runs"),
    ],
)
def test_sides_change_places_where_they_are_sides(text, mirrored):
    assert mirror_words(text.split()) == (mirrored and mirrored.split())


def test_pairs_of_another_language():
    pairs = [("links", "rechts")]
    assert mirror_words(["ein", "hund", "links", "und", "rechts"], pairs) == ["ein", "hund", "rechts", "und", "links"]


@given(st.lists(st.sampled_from(["the", "left", "right", "side", "dog", "of", "clockwise", "leftmost"]), max_size=8))
def test_mirroring_twice_gives_the_caption_back(words):
    once = mirror_words(words)
    assert once is None or mirror_words(once) == words


def test_boxes_by_hand():
    assert mirror_boxes([[0.0, 0.2, 0.25, 1.0]]) == [[0.75, 0.2, 1.0, 1.0]]
