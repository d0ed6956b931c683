"""Beam search in the graph against plain Python, on small random decoders."""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from captioner.config import AttentionConfig, DecoderConfig, DecodingOptions
from captioner.decoder import Decoder
from captioner.decoding import Searcher, beam_search, score_words
from captioner.vocabulary import END, PAD, START, UNKNOWN

WORDS = 3  # besides the four special symbols


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


def search(decoder, annotations, max_words=5, **options):
    """Run eagerly, which on a toy is quicker than compiling; `test_the_compiled_search_is_the_same` compiles."""
    found = beam_search(decoder, keras.ops.convert_to_tensor(annotations), DecodingOptions(**options), max_words)
    return {name: np.asarray(value) for name, value in found.items()}


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


@pytest.mark.parametrize("penalty", [0.0, 0.6])
def test_a_wide_beam_finds_what_enumeration_finds(penalty):
    decoder = make_decoder(words=2)
    annotations = pictures(2)
    found = search(decoder, annotations, max_words=4, beam_width=16, count=3, min_words=0, length_penalty=penalty)
    for row in range(2):
        totals = log_probabilities(decoder, annotations[row], every_caption(2, 4))
        ranked = sorted(totals, key=lambda c: -totals[c] / ((5 + len(c) + 1) / 6) ** penalty)
        assert texts(found, row)[:3] == ranked[:3]
        np.testing.assert_allclose(found["log_probability"][row, :3], [totals[c] for c in ranked[:3]], rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_a_beam_of_one_takes_the_likeliest_word_each_time(seed):
    decoder = make_decoder(seed)
    annotations = pictures()
    found = search(decoder, annotations, beam_width=1, min_words=0)
    greedy = search(decoder, annotations, strategy="greedy", min_words=0)
    for row in range(3):
        words = []
        while len(words) < 5:
            inputs = np.array([[[START, *words]]], np.int32)
            logits = np.asarray(decoder(annotations[row : row + 1], inputs)["logits"])[0, 0, -1].copy()
            logits[[PAD, START, UNKNOWN]] = -np.inf
            if logits.argmax() == END:
                break
            words.append(int(logits.argmax()))
        assert texts(found, row) == texts(greedy, row) == [tuple(words)]


@pytest.mark.parametrize("width", [1, 2, 5])
def test_batch_is_single_and_order_changes_nothing(width):
    decoder, annotations = make_decoder(1), pictures(3)
    options = {"beam_width": width, "count": width}
    together = search(decoder, annotations, **options)
    reverse = search(decoder, annotations[::-1].copy(), **options)
    for row in range(3):
        alone = search(decoder, annotations[row : row + 1], **options)
        assert texts(together, row) == texts(alone, 0) == texts(reverse, 2 - row)
        np.testing.assert_allclose(together["weights"][row], alone["weights"][0], atol=1e-5)


def test_masks_and_probabilities_are_those_of_the_words_that_survive():
    """Every hypothesis, scored on its own by teacher forcing, has the same masks, gates and probabilities."""
    decoder, annotations = make_decoder(2), pictures()
    found = search(decoder, annotations, beam_width=4, count=4, min_words=0)
    for row, rank in itertools.product(range(3), range(4)):
        n = found["length"][row, rank]
        words = found["words"][row, rank, :n]
        if not n:
            continue
        scored = score_words(decoder, annotations[row : row + 1], words[None])
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
    found = search(decoder, pictures(), beam_width=3)
    for row in range(3):
        for words in texts(found, row):
            assert set(words) <= set(range(4, 4 + WORDS))
    written = (np.arange(5) < found["length"][:, :, None])[..., None]
    possible = found["alternative_log_probabilities"] > -1e8  # a toy may have fewer than five possible words
    named = set(found["alternatives"][written & possible].tolist())
    assert END in named and not {PAD, START, UNKNOWN} & named


@pytest.mark.parametrize("end_bias", [-9.0, 9.0])
def test_lengths_keep_their_limits(end_bias):
    found = search(make_decoder(end_bias=end_bias), pictures(), beam_width=3, min_words=2)
    assert set(found["length"][:, 0].tolist()) <= ({5} if end_bias < 0 else {2, 3})


def test_hypotheses_of_a_picture_differ_and_are_ranked():
    found = search(make_decoder(), pictures(), beam_width=5, count=5, length_penalty=0.0)
    for row in range(3):
        assert len(set(texts(found, row))) == 5
        assert (np.diff(found["log_probability"][row]) <= 1e-6).all()


def test_the_compiled_search_is_the_same():
    decoder, annotations = make_decoder(4), pictures()
    searcher = Searcher(decoder, DecodingOptions(beam_width=3, count=3), 5)
    for size in (3, 1, 2):  # one compilation serves batches of any size
        compiled = searcher.predict_on_batch(annotations[:size])
        eager = search(decoder, annotations[:size], beam_width=3, count=3)
        assert compiled.keys() == eager.keys()
        for name, value in eager.items():
            np.testing.assert_allclose(compiled[name], value, atol=1e-4, err_msg=name)
