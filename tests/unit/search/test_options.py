"""Options of decoding from strangers: each is taken or refused in one line, whatever its type and size."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from captioner import CaptionerError
from captioner.config import DecodingOptions
from captioner.search.controls import Controls
from captioner.vocabulary import SPECIAL, Vocabulary

WORDS = Vocabulary([*SPECIAL, *"abcdefgh"])
NUMBERS = st.one_of(
    st.integers(0, 20),
    st.integers(),
    st.sampled_from([2**31 - 1, 2**31, 3_000_000_000, 2**63, 2**64, 10**400]),
    st.floats(),
)
TEXTS = st.one_of(st.sampled_from(["beam", "greedy", "sample", "diverse", "a b", "c"]), st.text(max_size=5))
VALUES = st.one_of(NUMBERS, TEXTS, st.none(), st.booleans(), st.lists(TEXTS, max_size=3), st.just({"a": 1}))


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(DecodingOptions.model_fields)), VALUES, max_size=4))
def test_any_options_are_refused_in_one_line_or_make_numbers_for_a_graph(options):
    try:
        controls = Controls.resolve(DecodingOptions.parse(options), WORDS, 20)
    except CaptionerError as error:
        assert "\n" not in str(error)
        return
    inputs = controls.inputs(len(WORDS))
    assert all(np.isfinite(value).all() for value in inputs.values())
    assert 1 <= controls.structure.width <= 20 and controls.max_words <= 100


def test_more_of_the_likeliest_words_than_there_are_is_all_of_them():
    text = '{"strategy": "sample", "top_k": 3000000000}'  # as the command line reads it
    controls = Controls.resolve(DecodingOptions.parse(json.loads(text)), WORDS, 20)
    assert controls.inputs(len(WORDS))["top_k"] == len(WORDS)
