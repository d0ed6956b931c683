"""No article after an article, and the one that the next word asks for."""

from __future__ import annotations

import re

import numpy as np
import pytest

from captioner.config import DecodingOptions
from captioner.search import strategies
from captioner.search.articles import after_articles
from captioner.search.controls import IMPOSSIBLE, Controls
from captioner.vocabulary import END, SPECIAL, Vocabulary
from tests.quick import quick
from tests.unit.search.test_strategies import by_graph, by_numpy, toys

ENGLISH = Vocabulary(
    [*SPECIAL, "a", "an", "the", "airplane", "dog", "hourglass", "umbrella", "one", "european", "honest", "8", "is"]
)
TOY = Vocabulary([*SPECIAL, "a", "an", "the", "dog", "airplane", "umbrella", "is", "on"])  # as many as a toy's table


@pytest.mark.parametrize(
    ("article", "refused"),
    [
        ("a", {"a", "an", "the", "airplane", "hourglass", "honest", "is"}),
        ("an", {"a", "an", "the", "dog", "one", "european"}),
        ("the", {"a", "an", "the"}),
        ("dog", set()),
    ],
)
def test_words_that_cannot_follow(article, refused):
    controls = Controls.resolve(DecodingOptions(no_repeat_within=1), ENGLISH, 9)
    before = ENGLISH.encode(["8", article, "8", article])  # so that the last word alone is said again
    values = strategies.allowed(np.zeros(len(ENGLISH), np.float32), before, controls)
    found = set(ENGLISH.decode(np.flatnonzero(values <= IMPOSSIBLE)))
    assert found == refused | ({article} if article == "dog" else set())


def test_without_all_three_articles_the_language_is_another():
    assert after_articles(Vocabulary([*SPECIAL, "a", "onda", "the"])) == {}


def test_whoever_lets_words_come_again_gets_what_the_network_writes():
    assert Controls.resolve(DecodingOptions(), ENGLISH, 9).after_articles == {}


def test_a_prefix_may_hold_what_it_will():
    controls = Controls.resolve(DecodingOptions(no_repeat_within=1, prefix="a an"), ENGLISH, 9)
    values = strategies.allowed(np.zeros(len(ENGLISH), np.float32), ENGLISH.encode(["a"]), controls)
    assert ENGLISH.decode(np.flatnonzero(values == 0)) == ["an"]


@pytest.mark.parametrize(
    "options",
    quick(
        [1, 2, 4],
        [
            {"strategy": "greedy"},
            {"beam_width": 5, "count": 5},
            {"beam_width": 3, "required_words": "airplane"},
            {"strategy": "diverse", "beam_width": 4, "count": 4},
            {"strategy": "sample", "seed": 3, "count": 5},
        ],
    ),
    ids=lambda options: options.get("strategy", " ".join(options)),
)
def test_the_graph_and_numpy_write_no_wrong_article(options):
    controls = Controls.resolve(DecodingOptions(no_repeat_within=1, **options), TOY, 7)
    tables = toys(24, 5)
    graph, plain = by_graph(tables, controls), by_numpy(tables, controls)
    count, time = controls.options.count, plain["words"].shape[2]
    there = graph["log_probability"][:, :count] > IMPOSSIBLE / 2
    np.testing.assert_array_equal(plain["words"][:, :count][there], graph["words"][:, :count, :time][there])
    texts = [" ".join(TOY.decode(words[words != END])) for words in graph["words"][:, :count][there]]
    assert len(set(texts)) > 10
    assert not [
        text for text in texts if re.search(r"\b(a|an|the) (a|an|the)\b|\ba (airplane|is|on)\b|\ban dog\b", text)
    ]
