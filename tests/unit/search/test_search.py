"""Beam search in the graph against plain Python, on small random decoders."""

from __future__ import annotations

import dataclasses
import itertools

import keras
import numpy as np
import pytest

from captioner import ConfigError
from captioner.config import AttentionConfig, DecoderConfig, DecodingOptions
from captioner.network.decoder import Decoder
from captioner.search import in_numpy
from captioner.search.controls import Controls
from captioner.search.graphs import Scorer, Searcher
from captioner.search.in_graph import search
from captioner.vocabulary import END, PAD, SPECIAL, START, UNKNOWN, Vocabulary
from tests.quick import quick

WORDS = 3  # besides the four special symbols
LETTERS = Vocabulary([*SPECIAL, *"abcdefgh"])


def make_decoder(seed=0, words=WORDS, end_bias=0.0) -> Decoder:
    decoder = Decoder(DecoderConfig(embedding_size=5, lstm_units=6), AttentionConfig(units=4), 4 + words)
    decoder.build((None, 6, 5))
    rng = np.random.default_rng(seed)
    for weight in decoder.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    bias = np.zeros(4 + words)
    bias[END] = end_bias
    decoder.output_bias.assign(bias)
    return decoder


def pictures(count=3, seed=7):
    return np.random.default_rng(seed).normal(size=(count, 6, 5)).astype("float32")


def controls_of(decoder, max_words=5, **options) -> Controls:
    vocabulary = Vocabulary(LETTERS.words[: decoder.vocabulary_size])
    return Controls.resolve(DecodingOptions.parse(options), vocabulary, max_words)


def run(decoder, annotations, max_words=5, chance=None, room=None, **options):
    """Search eagerly, which on a toy is quicker than compiling; `test_the_compiled_search_is_the_same` compiles."""
    controls = dataclasses.replace(controls_of(decoder, max_words, **options), room=room)
    inputs = controls.inputs(decoder.vocabulary_size) | ({} if chance is None else {"chance": chance})
    tensors = {name: keras.ops.convert_to_tensor(value) for name, value in inputs.items()}
    found = search(decoder, keras.ops.convert_to_tensor(annotations), controls.structure, tensors)
    return {name: np.asarray(value) for name, value in found.items()}


def oracle(decoder, annotations, max_words=5, **options) -> list[list[in_numpy.Hypothesis]]:
    """The search in plain Python."""
    controls = controls_of(decoder, max_words, **options)

    def step(words, state, memory):
        answer = decoder.step(words, state, memory)
        return in_numpy.map_tree(np.asarray, answer)

    memory = decoder.prepare(annotations)
    state = decoder.initial_state(annotations, memory, 1)
    memory, state = (in_numpy.map_tree(np.asarray, tree) for tree in (memory, state))
    return in_numpy.search_all(step, memory, state, controls, len(annotations))


def texts(found, row):
    return [tuple(words[:n]) for words, n in zip(found["words"][row], found["length"][row], strict=True)]


def log_probabilities(decoder, annotations, captions) -> dict[tuple, float]:
    """Sum of log-probabilities of whole captions, by teacher forcing, those of one length at once."""
    totals = {}
    for length in {len(caption) for caption in captions}:
        of_length = [caption for caption in captions if len(caption) == length]
        inputs = np.array([[[START, *caption] for caption in of_length]], np.int32)
        logits = np.asarray(keras.ops.log_softmax(decoder(annotations[None], inputs)["logits"]))[0]
        for caption, rows in zip(of_length, logits, strict=True):
            totals[caption] = float(sum(rows[t, word] for t, word in enumerate([*caption, END])))
    return totals


def every_caption(words, longest):
    ids = range(4, 4 + words)
    return [c for n in range(longest + 1) for c in itertools.product(ids, repeat=n)]


@pytest.mark.parametrize("penalty", quick([0.6], [0.0, 0.6]))
def test_a_wide_beam_finds_what_enumeration_finds(penalty):
    decoder = make_decoder(words=2)
    annotations = pictures(2)
    found = run(decoder, annotations, max_words=4, beam_width=16, count=3, min_words=0, length_penalty=penalty)
    for row in range(2):
        totals = log_probabilities(decoder, annotations[row], every_caption(2, 4))
        ranked = sorted(totals, key=lambda c: -totals[c] / ((5 + len(c) + 1) / 6) ** penalty)
        assert texts(found, row)[:3] == ranked[:3]
        np.testing.assert_allclose(found["log_probability"][row, :3], [totals[c] for c in ranked[:3]], rtol=1e-4)


@pytest.mark.parametrize("seed", quick([1], range(4)))
def test_a_beam_of_one_takes_the_likeliest_word_each_time(seed):
    decoder = make_decoder(seed)
    annotations = pictures()
    found = run(decoder, annotations, beam_width=1, min_words=0)
    greedy = run(decoder, annotations, strategy="greedy", min_words=0)
    for row in range(3):
        (words,) = texts(found, row)
        assert texts(greedy, row) == [words]
        inputs = np.array([[[START, *words]]], np.int32)
        logits = np.array(decoder(annotations[row : row + 1], inputs)["logits"])[0, 0]
        logits[:, [PAD, START, UNKNOWN]] = -np.inf
        likeliest = logits.argmax(-1).tolist()
        assert likeliest[: len(words)] == list(words)
        assert likeliest[-1] == END if len(words) < 5 else len(words) == 5


@pytest.mark.parametrize("width", quick([4], [1, 4]))
def test_batch_is_single_and_order_changes_nothing(width):
    decoder, annotations = make_decoder(1), pictures(3)
    options = {"beam_width": width, "count": width}
    together = run(decoder, annotations, **options)
    reverse = run(decoder, annotations[::-1].copy(), **options)
    for row in (0, 2):
        alone = run(decoder, annotations[row : row + 1], **options)
        assert texts(together, row) == texts(alone, 0) == texts(reverse, 2 - row)
        np.testing.assert_allclose(together["weights"][row], alone["weights"][0], atol=1e-5)


def test_masks_and_probabilities_are_those_of_the_words_that_survive():
    """Every hypothesis, scored on its own by teacher forcing, has the same masks, gates and probabilities."""
    decoder, annotations = make_decoder(2), pictures()
    scorer = Scorer(decoder)
    found = run(decoder, annotations, beam_width=4, count=4, min_words=0)
    for row, rank in itertools.product(range(3), range(4)):
        n = found["length"][row, rank]
        words = found["words"][row, rank, :n]
        if not n:
            continue
        banned = np.zeros(decoder.vocabulary_size, np.float32)
        banned[[PAD, START, UNKNOWN]] = -1e9
        scored = scorer({"annotations": annotations[row : row + 1], "words": words[None], "banned": banned})
        np.testing.assert_allclose(
            found["log_probability"][row, rank], np.asarray(scored["log_probability"])[0, 0], rtol=1e-4
        )
        for name in ("word_log_probabilities", "weights", "gate", "alternative_log_probabilities"):
            np.testing.assert_allclose(
                found[name][row, rank, :n], np.asarray(scored[name])[0, 0], atol=1e-4, err_msg=name
            )
        np.testing.assert_allclose(found["weights"][row, rank, :n].sum(-1), 1, atol=1e-5)


def test_special_symbols_are_never_written():
    decoder = make_decoder(3)
    bias = np.zeros(4 + WORDS)
    bias[[PAD, START, UNKNOWN]] = 9.0
    decoder.output_bias.assign(bias)
    found = run(decoder, pictures(), beam_width=3)
    for row in range(3):
        for words in texts(found, row):
            assert set(words) <= set(range(4, 4 + WORDS))
    written = (np.arange(5) < found["length"][:, :, None])[..., None]
    possible = found["alternative_log_probabilities"] > -1e8  # a toy may have fewer than five possible words
    named = set(found["alternatives"][written & possible].tolist())
    assert END in named and not {PAD, START, UNKNOWN} & named


@pytest.mark.parametrize("end_bias", [-9.0, 9.0])
def test_lengths_keep_their_limits(end_bias):
    found = run(make_decoder(end_bias=end_bias), pictures(), beam_width=3, min_words=2)
    assert set(found["length"][:, 0].tolist()) <= ({5} if end_bias < 0 else {2, 3})


def test_hypotheses_of_a_picture_differ_and_are_ranked():
    found = run(make_decoder(), pictures(), beam_width=5, count=5, length_penalty=0.0)
    for row in range(3):
        assert len(set(texts(found, row))) == 5
        assert (np.diff(found["log_probability"][row]) <= 1e-6).all()


def test_the_compiled_search_is_the_same():
    decoder, annotations = make_decoder(4), pictures()
    controls = controls_of(decoder, beam_width=3, count=3)
    searcher = Searcher(decoder, controls.structure, decoder.tables())
    for size in (3, 1, 2):  # one compilation serves batches of any size
        compiled = searcher.run(annotations[:size], controls)
        eager = run(decoder, annotations[:size], beam_width=3, count=3)
        assert compiled.keys() == eager.keys()
        for name, value in eager.items():
            np.testing.assert_allclose(compiled[name], value, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    "options",
    quick([1, 4], [
        {"beam_width": 4, "count": 4}, {"strategy": "sample", "count": 3, "seed": 5}, {"no_repeat_ngram": 3},
        {"strategy": "diverse", "beam_width": 4, "count": 2}, {"beam_width": 3, "required_words": "a b", "prefix": "c"},
    ]),
)  # fmt: skip
def test_room_for_longer_captions_changes_nothing(options):
    decoder, annotations = make_decoder(6), pictures()
    exact = run(decoder, annotations, max_words=4, **options)
    roomy = run(decoder, annotations, max_words=4, room=9, **options)
    for name, value in exact.items():
        np.testing.assert_array_equal(roomy[name][:, :, :4] if value.ndim > 2 else roomy[name], value, err_msg=name)


@pytest.mark.parametrize("width", quick([1, 3, 6], range(1, 9)))
def test_the_graph_finds_what_plain_python_finds(width):
    decoder, annotations = make_decoder(width, words=5), pictures(2, seed=width)
    options = {"beam_width": width, "count": width, "min_words": width % 3, "length_penalty": 0.3 * (width % 4)}
    found, rows = run(decoder, annotations, **options), oracle(decoder, annotations, **options)
    for row, hypotheses in enumerate(rows):
        assert texts(found, row)[: len(hypotheses)] == [tuple(h.words) for h in hypotheses]
        for rank, hypothesis in enumerate(hypotheses):
            assert found["log_probability"][row, rank] == pytest.approx(hypothesis.total, abs=1e-4)
            for time, kept in enumerate(hypothesis.records):
                for name, value in kept.items():
                    np.testing.assert_allclose(found[name][row, rank, time], value, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    "options",
    quick([3, 4, 7], [
        {"no_repeat_ngram": 1}, {"no_repeat_ngram": 2}, {"no_repeat_within": 2}, {"no_repeat_within": 20},
        {"no_repeat_within": 1, "no_repeat_ngram": 2, "prefix": "b b"}, {"forbidden_words": "a c"}, {"prefix": "b b a"},
        {"prefix": "a", "no_repeat_ngram": 1, "forbidden_words": "e", "min_words": 3},
    ]),
)  # fmt: skip
def test_controls_hold_in_the_graph_as_in_plain_python(options):
    decoder, annotations = make_decoder(11, words=5), pictures(3)
    for strategy in ("beam", "greedy"):
        found = run(decoder, annotations, strategy=strategy, **options)
        for row, hypotheses in enumerate(oracle(decoder, annotations, strategy=strategy, **options)):
            words = texts(found, row)[0]
            assert words == tuple(hypotheses[0].words)
            run_length = options.get("no_repeat_ngram")
            if run_length:
                runs = [words[i : i + run_length] for i in range(len(words) - run_length + 1)]
                assert len(set(runs)) == len(runs)
            letters = "".join(LETTERS.decode(words))
            written = letters[len(options.get("prefix", "").split()) :].replace("a", "")  # an article may come again
            within = options.get("no_repeat_within", 0)
            if within == 20:
                assert len(set(written)) == len(written)
            assert not within or all(first != second for first, second in itertools.pairwise(written))
            assert letters.startswith(options.get("prefix", "").replace(" ", ""))
            assert not set(letters) & set(options.get("forbidden_words", ""))


def test_forced_words_have_the_masks_and_probabilities_of_scoring_them():
    decoder, annotations = make_decoder(2, words=5), pictures(1)
    found = run(decoder, annotations, prefix="c a d")
    scored = Scorer(decoder)({"annotations": annotations, "words": np.array([[6, 4, 7]]), "banned": np.zeros(9)})
    np.testing.assert_allclose(found["weights"][0, 0, :3], np.asarray(scored["weights"])[0, 0], atol=1e-5)
    np.testing.assert_allclose(
        found["word_log_probabilities"][0, 0, :3], np.asarray(scored["word_log_probabilities"])[0, 0], atol=1e-4
    )


def test_words_that_must_appear_do_in_the_likeliest_caption_that_has_them():
    decoder, annotations = make_decoder(5), pictures(2)
    found = run(decoder, annotations, max_words=3, beam_width=20, required_words="b a", length_penalty=0.0)
    for row in range(2):
        totals = log_probabilities(decoder, annotations[row], every_caption(WORDS, 3)[1:])
        holding = {caption: total for caption, total in totals.items() if {4, 5} <= set(caption)}
        best = max(holding, key=holding.get)
        assert texts(found, row)[0] == best
        assert found["log_probability"][row, 0] == pytest.approx(holding[best], abs=1e-4)


@pytest.mark.parametrize("options", [{"strategy": "greedy"}, {"beam_width": 2}, {"beam_width": 3, "prefix": "c c"}])
def test_required_words_are_found_even_at_the_last_moment(options):
    decoder, annotations = make_decoder(6, words=5, end_bias=3.0), pictures(3)
    found = run(decoder, annotations, max_words=4, required_words="a b", **options)
    for row in range(3):
        assert {4, 5} <= set(texts(found, row)[0]) and len(texts(found, row)[0]) <= 4
        assert found["log_probability"][row, 0] > -1e8


def test_diverse_beams_without_diversity_are_one_beam_repeated():
    decoder, annotations = make_decoder(8, words=5), pictures(2)
    diverse = run(decoder, annotations, strategy="diverse", beam_width=4, groups=2, count=4, diversity=0.0)
    beam = run(decoder, annotations, beam_width=2, count=2)
    for row in range(2):
        a, b = texts(beam, row)
        assert texts(diverse, row) == [a, a, b, b]


def test_diverse_groups_choose_words_that_earlier_groups_did_not():
    """By hand: group g takes the likeliest word after each earlier group's word has lost `diversity`."""
    decoder, annotations = make_decoder(8, words=5), pictures(3)
    found = run(decoder, annotations, strategy="diverse", beam_width=3, count=3, diversity=90.0, max_words=1)
    logits = decoder(annotations, np.full((3, 1, 1), START))["logits"]
    first = np.asarray(keras.ops.log_softmax(logits))[:, 0, 0, 4:]
    for row in range(3):
        expected = 4 + np.argsort(-first[row])[:3]
        assert {words[0] for words in texts(found, row)} == set(expected.tolist())


def test_sampling_follows_the_distribution():
    decoder, annotations = make_decoder(9, words=4), np.repeat(pictures(1), 100, axis=0)
    chance = np.random.default_rng(0).random((100, 20, 2), np.float32)
    found = run(decoder, annotations, max_words=1, chance=chance, strategy="sample", count=20)
    logits = np.asarray(decoder(annotations[:1], np.full((1, 1, 1), START))["logits"])[0, 0, 0, 4:].astype(float)
    expected = np.exp(logits) / np.exp(logits).sum()
    shares = np.bincount(found["words"].ravel() - 4, minlength=4) / found["words"].size
    np.testing.assert_allclose(shares, expected, atol=0.045)  # four standard deviations of 2,000 draws


def test_sampling_obeys_temperature_top_k_top_p_and_seed():
    decoder, annotations = make_decoder(9, words=4), pictures(2)
    greedy = run(decoder, annotations, strategy="greedy")
    options = {"strategy": "sample", "count": 2}
    for narrow in ({"temperature": 0.01}, {"top_k": 1}, {"top_p": 0.01}):
        found = run(decoder, annotations, **options, **narrow, seed=3)
        for row in range(2):
            assert texts(found, row) == texts(greedy, row) * 2
    one = run(decoder, annotations, **options, seed=3)
    again = run(decoder, annotations[::-1].copy(), **options, seed=3)
    other = run(decoder, annotations, **options, seed=4)
    assert [texts(one, row) for row in range(2)] == [texts(again, 1 - row) for row in range(2)]
    assert [texts(one, row) for row in range(2)] != [texts(other, row) for row in range(2)]


def test_a_sample_in_plain_python_is_the_one_of_the_graph():
    decoder, annotations = make_decoder(9, words=5), pictures(1)
    options = {"strategy": "sample", "seed": 5, "temperature": 1.3, "top_k": 4, "top_p": 0.9}
    found, controls = run(decoder, annotations, **options), controls_of(decoder, **options)
    memory = decoder.prepare(annotations)
    state, words, chance = decoder.initial_state(annotations, memory, 1), [START], controls.chance()[0]
    while words[-1] != END:
        log_probabilities, state, _ = decoder.step(np.array([[words[-1]]]), state, memory)
        values = in_numpy.possible(np.asarray(log_probabilities)[0, 0], len(words) - 1, controls)
        words.append(in_numpy.draw(values, controls, chance[len(words) - 1]))
    assert tuple(words[1:-1]) == texts(found, 0)[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefix": "a zebra"}, "prefix: the model does not know the word 'zebra'"),
        ({"required_words": ["<unk>"]}, "does not know the word 'unk'"),
        ({"forbidden_words": "a", "prefix": "b a"}, "'a' is forbidden and asked for at once"),
        ({"prefix": "a b c", "required_words": "a b", "max_words": 3, "min_words": 9}, "min_words 9 is more"),
        ({"prefix": "a b", "required_words": "c b", "max_words": 2}, "prefix and required_words make 3 words"),
        ({"temperature": 2.0}, "temperature belongs to strategy sample, not to 'beam'"),
        ({"strategy": "sample", "required_words": "a"}, "required_words belongs to strategy beam or greedy"),
        ({"strategy": "sample", "top_p": 0}, "top_p"),
        ({"strategy": "diverse", "beam_width": 4, "groups": 3}, "does not split into 3 equal groups"),
        ({"strategy": "best"}, "strategy"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        controls_of(make_decoder(words=5), **options)
