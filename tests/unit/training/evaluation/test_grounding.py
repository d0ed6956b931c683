"""Masks against boxes, with numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from captioner import Caption, Word
from captioner.vocabulary import FUNCTION_WORDS
from training.evaluation.grounding import (
    NOT_NEIGHBOURS,
    average,
    covered,
    measure,
    measure_written,
    shared_by_neighbours,
)

# A 2 x 2 grid: most of the attention in the upper right cell.
MASK = np.array([[0.1, 0.6], [0.2, 0.1]], np.float32)


def caption(**masks) -> Caption:
    words = tuple(Word(text, 0.5, np.array(mask, np.float32).reshape(2, 2)) for text, mask in masks.items())
    return Caption(words, -1.0, "photo.jpg", (100, 100))


def test_a_mask_that_points_into_the_box():
    found = measure(MASK, [[0.5, 0.0, 1.0, 0.5]])
    assert found["point"] == 1
    assert found["centre"] == 0  # the middle belongs to the cell below and right of it
    assert found["mass"] == pytest.approx(0.6, abs=1e-6)
    assert found["area"] == pytest.approx(0.25, abs=1e-6)
    entropy = -(0.1 * np.log(0.1) * 2 + 0.6 * np.log(0.6) + 0.2 * np.log(0.2)) / np.log(4)
    assert found["entropy"] == pytest.approx(entropy, abs=1e-5)


def test_cells_count_by_the_share_inside_and_boxes_do_not_count_twice():
    half = measure(MASK, [[0.0, 0.0, 1.0, 0.25]])  # the upper half of the upper cells
    assert half["mass"] == pytest.approx((0.1 + 0.6) / 2, abs=1e-6)
    assert half["point"] == 0  # the centre of the upper right cell lies on the border, outside
    twice = measure(MASK, [[0.5, 0.0, 1.0, 0.5], [0.5, 0.0, 1.0, 0.5]])
    assert twice["mass"] == pytest.approx(0.6, abs=1e-6)
    assert measure(MASK, [[0.0, 0.5, 0.5, 1.0], [0.4, 0.4, 0.6, 0.6]])["centre"] == 1


def test_words_the_model_wrote_are_measured_where_a_reference_is_the_same():
    written = caption(a=[1, 0, 0, 0], dog=[0, 1, 0, 0], runs=[0, 0, 1, 0])
    references = [
        {"text": "A cat sleeps .", "phrases": [{"word": 1, "boxes": [[0, 0, 1, 1]]}]},
        {"text": "A dog , runs .", "phrases": [{"word": 1, "boxes": [[0.5, 0.0, 1.0, 0.5]]}]},
    ]
    (row,) = measure_written([written], [references])
    assert (row["point"], row["mass"]) == (1, pytest.approx(1))
    assert measure_written([written], [references[:1]]) == []
    assert average([row, {**row, "point": 0.0}]) == {**row, "n": 2, "point": 0.5}


def test_neighbours_share_what_both_masks_hold():
    """Of "dog" and "runs": 0.5 + 0.2; of "runs" and "grass": 0; the words between are no content."""
    written = caption(a=[0, 0, 0, 1], dog=[0.5, 0.5, 0, 0], runs=[0.8, 0.2, 0, 0], on=[0, 0, 0, 1], grass=[0, 0, 1, 0])
    assert shared_by_neighbours([written]) == pytest.approx((0.7 + 0.0) / 2, abs=1e-6)
    assert shared_by_neighbours([caption(dog=[1, 0, 0, 0])]) == 0


def test_the_words_that_neighbours_pass_over_are_those_of_the_published_figures():
    assert len(NOT_NEIGHBOURS) == 46 and NOT_NEIGHBOURS <= FUNCTION_WORDS
    together = caption(dog=[1, 0, 0, 0], together=[1, 0, 0, 0])  # of no content elsewhere, and counted in this figure
    assert "together" in FUNCTION_WORDS and shared_by_neighbours([together]) == 1


def test_area_of_boxes_that_lie_over_each_other_and_over_the_edge():
    assert covered([[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.9, 0.7]]) == pytest.approx(0.2 + 0.2 - 0.1 * 0.3)
    assert covered([[0.5, -0.2, 1.3, 0.5]]) == pytest.approx(0.25)
