"""What a user calls, on a tiny model with random weights."""

from __future__ import annotations

import json
import os
import select
import signal

import numpy as np
import pytest
from PIL import Image

from captioner import Caption, CaptionerError, ConfigError, DecodingOptions, ImageError
from captioner.captioner import KEPT
from captioner.pictures.geometry import open_image
from captioner.runtimes.keras_model import KEPT_SEARCHES
from captioner.search import in_numpy
from captioner.search.controls import Controls


def test_a_caption_keeps_the_contract(tiny_captioner, photo):
    caption = tiny_captioner.caption(photo, beam_width=3, min_words=4)
    assert isinstance(caption, Caption)
    assert caption.text == " ".join(word.text for word in caption.words)
    assert caption.sentence == caption.text.capitalize() + "."
    assert caption.score <= 0
    rows, columns = tiny_captioner.model.encoder.grid
    for word in caption.words:
        assert word.mask.shape == (rows, columns)
        assert word.mask.dtype == np.float32
        assert word.mask.sum() == pytest.approx(1, abs=1e-5)
        assert 0 <= word.probability <= 1
        assert 0 <= word.gate <= 1
        assert word.sentinel is None and word.heads is None
        assert len(word.alternatives) == 5
        assert sorted((p for _, p in word.alternatives), reverse=True) == [p for _, p in word.alternatives]
        assert not {"<pad>", "<start>", "<unk>"} & {text for text, _ in word.alternatives}
    assert len({word.mask.tobytes() for word in caption.words}) > 1
    assert caption.heatmap(0).shape == (60, 120)
    assert caption.draw(0).size == (120, 60)


def test_score_is_the_mean_log_probability_end_included(tiny_captioner, photo):
    caption = tiny_captioner.caption(photo)
    scored = tiny_captioner.score(photo, caption.text)
    assert scored.score == pytest.approx(caption.score, abs=1e-4)
    for a, b in zip(caption.words, scored.words, strict=True):
        assert a.probability == pytest.approx(b.probability, abs=1e-4)
        np.testing.assert_allclose(a.mask, b.mask, atol=1e-4)
    total = sum(np.log(word.probability) for word in caption.words)
    assert caption.score * (len(caption.words) + 1) <= total + 1e-6


def test_given_words_keep_their_text(tiny_captioner, photo):
    caption = tiny_captioner.score(photo, "A zebra runs!")
    assert [word.known for word in caption.words] == [True, False, True]
    assert [word["known"] for word in caption.to_dict()["words"]] == [True, False, True]
    assert caption._repr_html_().count("unknown: ") == 1
    assert [word.text for word in caption.words] == ["a", "zebra", "runs"]
    with pytest.raises(ConfigError, match="at least one word"):
        tiny_captioner.score(photo, " . ")


def test_count_gives_a_list_the_best_first(tiny_captioner, photo):
    captions = tiny_captioner.caption(photo, beam_width=4, count=3)
    assert len(captions) == 3
    assert len({caption.text for caption in captions}) == 3
    assert captions[0].text == tiny_captioner.caption(photo, beam_width=4).text
    assert isinstance(tiny_captioner.caption(photo, count=1), list)


def test_many_pictures_keep_their_order_and_bad_ones_their_place(tiny_captioner, photo, tmp_path):
    tall = tmp_path / "tall.png"
    Image.effect_noise((30, 90), 80).save(tall)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    sources = [photo, tmp_path / "bad.jpg", tall, tmp_path / "none.jpg", photo, tall, photo]
    answers = list(tiny_captioner.captions(sources, batch_size=2, beam_width=2))
    assert [type(answer) for answer in answers] == [Caption, ImageError, Caption, ImageError, Caption, Caption, Caption]
    assert [answer.size for answer in answers if isinstance(answer, Caption)] == [
        (120, 60), (30, 90), (120, 60), (30, 90), (120, 60),
    ]  # fmt: skip
    for source, answer in zip(sources, answers, strict=True):
        if isinstance(answer, Caption):
            assert answer.text == tiny_captioner.caption(source, beam_width=2).text


def test_pictures_are_read_as_they_are_needed(tiny_captioner, photo):
    taken = []

    def endless():
        while True:
            taken.append(photo)
            yield photo

    answers = tiny_captioner.captions(endless(), batch_size=2, beam_width=1)
    assert isinstance(next(answers), Caption)
    assert len(taken) <= 3 * 2  # batches
    answers.close()


def test_a_wrong_option_is_refused_before_any_picture_is_read(tiny_captioner):
    for options, message in [
        ({"beam_with": 3}, "did you mean 'beam_width'"),
        ({"beam_width": 0}, "beam_width"),
        ({"min_words": 50}, "min_words 50 is more than the 6 words"),
    ]:
        with pytest.raises(ConfigError, match=message):
            tiny_captioner.captions(["none.jpg"], **options)


def test_a_caption_is_json(tiny_captioner, photo):
    caption = tiny_captioner.caption(photo)
    values = json.loads(json.dumps(caption.to_dict()))
    assert values["text"] == caption.text
    assert values["size"] == [120, 60]
    np.testing.assert_allclose(values["words"][0]["mask"], caption.words[0].mask)


def test_a_notebook_shows_words_and_masks(tiny_captioner, photo):
    caption = tiny_captioner.caption(photo)
    page = caption._repr_html_()
    assert page.count("<img") == len(caption.words) + 1 or page.count("<img") == len(caption.words)
    assert all(word.text in page for word in caption.words)


def test_a_stream_grows_into_the_greedy_caption(tiny_captioner, photo):
    greedy = tiny_captioner.caption(photo, strategy="greedy")
    steps = list(tiny_captioner.stream(photo))
    assert [len(caption.words) for caption in steps] == [*range(1, len(greedy.words) + 1), len(greedy.words)]
    assert steps[-1].text == greedy.text
    assert steps[-1].score == pytest.approx(greedy.score, abs=1e-4)
    for a, b in zip(steps[-1].words, greedy.words, strict=True):
        np.testing.assert_allclose(a.mask, b.mask, atol=1e-4)
        assert [text for text, _ in a.alternatives] == [text for text, _ in b.alternatives]
    with pytest.raises(ConfigError, match="strategy is 'greedy' or 'sample'.*Received: strategy 'beam'"):
        tiny_captioner.stream(photo, strategy="beam")


def test_pictures_asked_about_again_are_not_encoded_again(tiny_captioner, monkeypatch):
    encoded = []
    encode = tiny_captioner.runtime.encode
    monkeypatch.setattr(tiny_captioner.runtime, "encode", lambda squares: encoded.append(1) or encode(squares))
    pictures = [Image.effect_noise((50, 40), 40 + i).convert("RGB") for i in range(KEPT + 1)]
    first = [tiny_captioner.score(picture, "a dog runs").score for picture in pictures]
    assert len(encoded) == KEPT + 1
    assert [tiny_captioner.score(picture.copy(), "a dog runs").score for picture in pictures[1:]] == first[1:]
    assert len(encoded) == KEPT + 1
    assert tiny_captioner.score(pictures[0], "a dog runs").score == first[0]  # the oldest had to go
    assert len(encoded) == KEPT + 2


@pytest.mark.parametrize(
    "text", ["dog", "a brown dog runs on", "a brown dog runs on grass a dog runs on a dog a brown dog"]
)
def test_a_score_is_that_of_one_step_after_the_other(tiny_captioner, photo, text):
    scored = tiny_captioner.score(photo, text)
    ids = tiny_captioner.vocabulary.encode(text.split())
    encoded = tiny_captioner.runtime.encode(tiny_captioner._square(open_image(photo))[None])
    memory, state = tiny_captioner.runtime.start(encoded)
    controls = Controls.resolve(DecodingOptions(), tiny_captioner.vocabulary, 6)
    steps = in_numpy.score(tiny_captioner.runtime.step, memory, state, ids, controls)
    assert scored.score == pytest.approx(steps.total / (len(ids) + 1), abs=1e-4)
    for word, step in zip(scored.words, steps.records, strict=True):
        np.testing.assert_allclose(word.mask.ravel(), step["weights"], atol=1e-4)
        assert word.probability == pytest.approx(np.exp(step["word_log_probabilities"]), abs=1e-4)


def test_one_graph_serves_captions_of_every_length(tiny_captioner, photo):
    searchers = tiny_captioner.runtime._searchers
    longest = tiny_captioner.config.decoder.max_words
    for length in (1, 2, longest):
        caption = tiny_captioner.caption(photo, beam_width=2, min_words=length, max_words=length)
        assert len(caption.words) == length
    assert len({structure for structure in searchers if structure.width == 2 and not structure.constrained}) == 1


@pytest.mark.slow
def test_compiled_searches_do_not_pile_up(tiny_captioner, photo):
    for width in range(1, KEPT_SEARCHES + 4):
        tiny_captioner.caption(photo, beam_width=width)
    kept = [structure.width for structure in tiny_captioner.runtime._searchers]
    assert kept == list(range(4, KEPT_SEARCHES + 4))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_is_told_to_spawn(tiny_captioner, photo):
    """It would wait for threads that were not forked along."""
    tiny_captioner.caption(photo)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        for use in (tiny_captioner.caption, lambda photo: tiny_captioner.score(photo, "a dog")):
            try:
                use(photo)
            except CaptionerError as error:
                os.write(writing, f"{error}\n".encode())
        os._exit(0)
    os.close(writing)
    try:
        assert select.select([reading], [], [], 60)[0], "the child hangs"
        with os.fdopen(reading) as said:
            lines = said.read().splitlines()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert len(lines) == 2 and all("'spawn'" in line for line in lines)
    assert tiny_captioner.caption(photo).text  # the parent goes on
