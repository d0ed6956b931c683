"""The numbers of the page that explains are those of the model."""

from __future__ import annotations

import numpy as np
import pytest

from captioner import ImageError
from captioner.pictures.geometry import network_square
from captioner.pictures.reading import open_image
from demo.how_it_looks import SHOWN_NUMBERS, explain


def test_numbers_are_those_of_the_model(drawn, photo, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    told, config = explain(drawn, photo), drawn.config
    square = network_square(open_image(photo), config.encoder.image_size, config.encoder.resize)
    vectors = np.asarray(drawn.annotations(square[None]))[0]
    assert told["cells"]["size"] == vectors.shape[1]
    first = np.array(told["cells"]["first"])
    np.testing.assert_allclose(first, vectors[:, :SHOWN_NUMBERS], rtol=1e-2)
    assert len(first) == np.size(told["captions"][0]["words"][0]["mask"])
    assert told["model"]["vocabulary"] == len(drawn.vocabulary)
    assert told["model"]["state"] == config.decoder.lstm_units
    assert told["captions"][0]["text"] == drawn.caption(photo).text


def test_what_is_no_picture_is_refused(drawn, tmp_path):
    wrong = tmp_path / "wrong.png"
    wrong.write_text("hello")
    with pytest.raises(ImageError, match="not a picture"):
        explain(drawn, wrong)
