"""What happens when somebody asks the page something; each answer is a message to the viewer.

Kinds of messages: "caption", captions of a photo, growing while `writing`; "leaning", how much the words of a caption
lean on the photo; "check", what the mask of a word is worth; "file", something to keep; "failed", nothing came of it.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pydantic
from PIL import Image

from captioner import Caption, Captioner, DecodingOptions
from captioner.confidence import is_content
from captioner.config import Config
from captioner.pictures.reading import Source, open_image
from demo import evidence
from demo.bounds import check_length, fitting, given_words
from demo.cards import about
from demo.models import Models
from demo.settings import SETTINGS
from demo.takeaway import make_file
from demo.uploads import readable, uploaded
from demo.viewer import cache_file, cache_photo, describe_picture, message

SIDE_BY_SIDE = 5
CHECK_SIDE = 480
ENDING = re.compile(r"(?<=\w\w)(\w)\1?(?:ing|ed|e|s|y)$")  # "running" and "runs" name the same
OF_BEAMS = ("beam_width", "groups", "diversity", "length_penalty")

Message = dict[str, Any]


class Question(Config):
    """What the viewer asks about a caption that it shows.

    Attributes:
        photo: path and name of the upload, as they came with the caption.
        model, options: what wrote the caption.
        text: the caption, or its beginning.
        index: of the word that is meant; -1 for none.
        word: what is to stand there instead; "<end>" for an end.
        kind: of a file.
    """

    photo: dict[str, str | None]
    model: str = ""
    options: dict[str, Any] = pydantic.Field(default_factory=dict)
    text: str = pydantic.Field("", max_length=2000)
    index: int = pydantic.Field(0, ge=-1)
    word: str = pydantic.Field("", max_length=100)
    kind: str = ""

    @pydantic.field_validator("options")
    @classmethod
    def _only_settings(cls, options: dict[str, Any]) -> dict[str, Any]:
        if unknown := set(options) - set(SETTINGS):
            raise ValueError(f"{min(unknown)[:100]} is no setting of the page; they are {', '.join(SETTINGS)}")
        return options


class Listeners:
    """The functions behind the page.

    Args:
        models: what the page offers.
    """

    def __init__(self, models: Models):
        self.models = models

    def caption(self, photo: dict[str, Any] | None, model: str, options: dict[str, Any]) -> Iterator[Message]:
        """Caption a photo: the photo, then its words as they are written, then what the search found.

        Args:
            photo: what the browser sent for a `gr.Image`, not preprocessed.
            model: name of the model.
            options: fields of `DecodingOptions`.
        """
        path = uploaded(photo)
        question = {"photo": {"path": path, "orig_name": photo.get("orig_name")}, "model": model, "options": options}
        with errors_for_people(photo):
            picture = open_image(path)
            shown = cache_photo(picture)

            known = about(self.models, model, picture)

            def say(captions: list[Caption], writing: bool) -> Message:
                content = describe_picture(captions, shown)
                return message("caption", question=question, writing=writing, about=known, **content)

            growing = Caption((), 0.0, picture, picture.size)
            yield say([growing], True) | {"reading": not self.models.is_ready(model)}
            captioner = self.models[model]
            options = seeded(fitting(captioner, options))
            for growing in captioner.stream(picture, **for_stream(options)):
                yield say([growing], True)
            captions = settle(captioner, picture, options, growing)
            yield say(captions, False)
            yield self._leaning(captioner, captions[0])

    def rewrite(self, event: gr.EventData) -> Iterator[Message]:
        """Put another word into a caption and write the rest of it anew."""
        with asked(event) as question:
            captioner, picture = self.models[question.model], open_image(uploaded(question.photo))
            before = question.text.split()[: question.index]
            if question.word == "<end>":
                captions = [captioner.score(picture, given_words(captioner, " ".join(before)))]
            else:
                options = fitting(captioner, question.options) | {"prefix": " ".join([*before, question.word])}
                captions = side_by_side(captioner, picture, options)
            known = question.model_dump(include={"photo", "model", "options"})
            content = describe_picture(captions, cache_photo(picture))
            content |= {"about": about(self.models, question.model, picture), "rewritten": question.index}
            yield message("caption", question=known, writing=False, **content)
            yield self._leaning(captioner, captions[0])

    def lean(self, event: gr.EventData) -> Message:
        """How much the words of a caption lean on the photo."""
        with asked(event) as question:
            captioner = self.models[question.model]
            text = given_words(captioner, question.text)
            return self._leaning(captioner, captioner.score(uploaded(question.photo), text))

    def check(self, event: gr.EventData) -> Message:
        """Blur out where a word looked, and an equal place elsewhere."""
        with asked(event) as question:
            captioner = self.models[question.model]
            text = given_words(captioner, question.text)
            check = evidence.check_mask(captioner, uploaded(question.photo), text, question.index)
            return message(
                "check",
                text=question.text,
                index=question.index,
                probability=check.probability,
                attended=_describe_blurred(check.attended),
                elsewhere=_describe_blurred(check.elsewhere),
            )

    def keep(self, event: gr.EventData) -> Message:
        """Make a file of a caption."""
        with asked(event) as question:
            captioner = self.models[question.model]
            caption = captioner.score(uploaded(question.photo), given_words(captioner, question.text))
            data, name, mime_type = make_file(caption, question.kind, question.index)
            return message("file", file=cache_file(data, name, mime_type).model_dump())

    @staticmethod
    def _leaning(captioner: Captioner, caption: Caption) -> Message:
        return message("leaning", text=caption.text, leaning=evidence.leaning(captioner, caption))


@contextlib.contextmanager
def errors_for_people(photo: dict[str, Any] | None) -> Iterator[None]:
    """Errors as the page shows them; the photo, where there is one, as its owner named it."""
    try:
        yield
    except Exception as error:
        raise readable(error, photo) from None


@contextlib.contextmanager
def asked(event: gr.EventData) -> Iterator[Question]:
    """What the viewer asks."""
    photo = None
    try:
        question = Question.parse(event._data)
        photo = question.photo
        yield question
    except Exception as error:
        raise readable(error, photo) from None


def warm_up(captioner: Captioner) -> None:
    """Ask once what the page asks of every photo: the first question compiles its graphs, which takes seconds."""
    *_, streamed = captioner.stream(evidence.BLANK, **for_stream({}))
    best = settle(captioner, evidence.BLANK, {}, streamed)[0]
    evidence.leaning(captioner, best)


def seeded(options: dict[str, Any]) -> dict[str, Any]:
    """Options of which a stream and a search make the same samples."""
    return {"seed": random.randrange(2**31), **options} if options.get("strategy") == "sample" else options


def for_stream(options: dict[str, Any]) -> dict[str, Any]:
    """The options for writing word by word: greedy, without words that must appear, where a search follows."""
    if options.get("strategy") == "sample":
        return options
    left_out = (*OF_BEAMS, "required_words")
    return {name: value for name, value in options.items() if name not in left_out} | {"strategy": "greedy"}


def search(captioner: Captioner, photo: Source, options: dict[str, Any], most: int = SIDE_BY_SIDE) -> list[Caption]:
    """The best captions that a search finds, as many as can be shown side by side."""
    chosen = DecodingOptions.parse(options)
    check_length(captioner, chosen)
    count = most if chosen.strategy == "sample" else min(most, chosen.width)
    return captioner.caption(photo, **{**options, "count": count})


def side_by_side(captioner: Captioner, photo: Source, options: dict[str, Any]) -> list[Caption]:
    """What a search finds best, and others that say something else.

    What a beam keeps beside its best differs in a word or two, so that beams which keep apart look for the others.
    """
    if options.get("strategy", "beam") != "beam" or "required_words" in options:  # diverse beams don't know them
        return distinct(search(captioner, photo, options))
    best = search(captioner, photo, options, most=1)
    apart = {**options, "strategy": "diverse", "beam_width": SIDE_BY_SIDE}
    return distinct([*best, *search(captioner, photo, apart)])


def settle(captioner: Captioner, picture: Image.Image, options: dict[str, Any], streamed: Caption) -> list[Caption]:
    """What takes the place of a caption that was read along: what the beam found, or the samples, itself the first."""
    strategy = options.get("strategy", "beam")
    if strategy == "greedy" and "required_words" not in options:
        return [streamed]
    if strategy == "sample":
        return distinct(sorted(search(captioner, picture, options), key=lambda one: one.text != streamed.text))
    return side_by_side(captioner, picture, options)


def distinct(captions: list[Caption]) -> list[Caption]:
    """Captions in their order, without those that name nothing else than one before them, or only a part of it."""
    kept: list[tuple[Caption, set[str]]] = []
    for one in captions:
        named = {ENDING.sub(r"\1", word.text) for word in one.words if is_content(word.text)}
        if not any(named <= other or other <= named for _, other in kept):
            kept.append((one, named))
    return [one for one, _ in kept]


def _describe_blurred(blurred: evidence.Blurred) -> dict[str, Any]:
    return {
        "photo": cache_photo(blurred.picture, CHECK_SIDE).model_dump(),
        "attention": blurred.attention,
        "probability": blurred.probability,
    }
