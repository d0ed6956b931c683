"""What pictures may come as, and captions that hold one word of several, on the model of shapes."""

from __future__ import annotations

import io
import shutil

import pytest
from PIL import Image

from captioner import Captioner, ConfigError, ImageError


@pytest.fixture(scope="module")
def shapes(root):
    return Captioner.from_pretrained(root / "models" / "shapes")


@pytest.fixture
def folder(photo, tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("a.jpg", "deep/b.jpg"):
        shutil.copy(photo, tmp_path / name)
    return tmp_path


def test_folders_lists_bytes_and_open_files_are_captioned_in_their_order(shapes, folder, photo):
    text = shapes.caption(photo).text
    (folder / "none").mkdir()
    with open(photo, "rb") as file, open(folder / "deep/b.jpg", "rb") as closed:
        closed.close()
        mixed = [photo, folder, file, io.BytesIO(photo.read_bytes()), photo.read_bytes(), closed, folder / "none", "\0"]
        found = list(shapes.captions(mixed))
    assert [getattr(answer, "text", None) for answer in found] == [text] * 6 + [None] * 3
    assert [found[1].source, found[2].source] == [folder / "a.jpg", folder / "deep/b.jpg"]
    for error, words in zip(found[6:], ("b.jpg: cannot be read", "is a folder without photos", "null"), strict=True):
        assert isinstance(error, ImageError) and words in str(error)
    assert found[3].draw(0).size == (120, 60)  # of a file that is closed by now


@pytest.mark.parametrize(
    "kind", [str, lambda path: path.read_bytes(), Image.open, lambda path: io.BytesIO(path.read_bytes())]
)
def test_a_single_picture_is_one(shapes, photo, kind):
    (caption,) = shapes.captions(kind(photo))
    assert caption.text == shapes.caption(photo).text


def test_a_file_opened_as_text_is_named(shapes, photo):
    with open(photo) as file, pytest.raises(ImageError, match=r"wide\.jpg: was opened as text"):
        shapes.caption(file)


def test_one_of_several_words_is_enough(shapes, photo):
    plain = shapes.caption(photo)
    assert shapes.caption(photo, required_words=f"{plain.words[0].text}|circle").text == plain.text
    first, second = [word for word in ("circle", "square", "triangle", "star") if word not in plain.text.split()][:2]
    best = max((shapes.caption(photo, required_words=word) for word in (first, second)), key=lambda found: found.score)
    choice = f"{first}|{second}|unicorn"
    assert shapes.caption(photo, required_words=choice).text == best.text
    assert [found.text for found in shapes.captions([photo], required_words=(choice, "a"))] == [best.text]
    several = shapes.caption(photo, count=3, required_words=choice)
    assert len(several) == 3 and all({first, second} & set(found.text.split()) for found in several)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"required_words": "unicorn|dragon"}, "knows none of the required words"),
        ({"required_words": "|"}, "required words are single ones"),
        ({"required_words": "circle|square", "strategy": "sample"}, "required_words belongs to strategy"),
    ],
)
def test_choices_that_cannot_be_are_refused_before_a_picture_is_read(shapes, options, message):
    def never():
        raise AssertionError("a picture was asked for")
        yield

    with pytest.raises(ConfigError, match=message):
        shapes.captions(never(), **options)
    with pytest.raises(ConfigError, match=message):
        shapes.caption("none.jpg", **options)
    with pytest.raises(ConfigError):
        shapes.stream("none.jpg", **options)
