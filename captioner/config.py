"""Validated descriptions: how a model is built (`ModelConfig`) and how a caption is searched (`DecodingOptions`).

Unknown keys are refused and the nearest known one is named. Nothing here knows Keras.
"""

from __future__ import annotations

import difflib
import json
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal, Self

import pydantic

from captioner.errors import ConfigError

LARGEST_OPTION = 4  # such as alpha of MobileNet, which multiplies the memory of a network by its square

MAX_WORDS = 100  # of the longest caption that any model writes


def _nearest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known keys are {', '.join(known)}"


def _explain(error: pydantic.ValidationError, model: type[pydantic.BaseModel]) -> str:
    """The first problem of a pydantic error, in one line."""
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"]) or model.__name__
    if problem["type"] == "extra_forbidden":
        parent: Any = model
        for part in problem["loc"][:-1]:  # a number is a place in a tuple of descriptions
            parent = parent.model_fields[part].annotation if isinstance(part, str) else typing.get_args(parent)[0]
            if isinstance(parent, types.UnionType):  # a description or None
                parent = typing.get_args(parent)[0]
        return f"{where} is not a known key: {_nearest(str(problem['loc'][-1]), list(parent.model_fields))}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}. Received: {problem['input']!r}"


class Config(pydantic.BaseModel):
    """Base of all descriptions: immutable, strict about keys, errors in one line."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        """Build from plain values.

        Raises:
            ConfigError: a key is unknown or a value out of range.
        """
        try:
            return cls.model_validate(values)
        except pydantic.ValidationError as error:
            raise ConfigError(_explain(error, cls)) from None


class ClassMapsConfig(Config):
    """Which kinds of things the encoder maps, see `captioner.network.class_maps`.

    Attributes:
        classes: their names; map i shows where `classes[i]` is.
        units: width of the layer that finds them.
    """

    classes: tuple[str, ...] = pydantic.Field(min_length=1, max_length=4096)
    units: int = pydantic.Field(256, ge=1, le=4096)


class EncoderConfig(Config):
    """A CNN of `keras.applications`, tapped at named layers.

    Attributes:
        architecture: name of a class in `keras.applications`, such as "EfficientNetB4".
        layers: layers whose outputs are concatenated along channels; all must have the same grid.
        image_size: side in pixels of the square the network sees.
        resize: "squash" keeps the whole picture and loses its aspect ratio; "crop" takes the central square;
            "pad" puts the whole picture on a black square.
        coordinates: add two channels that hold the column and row of each location, -1 to 1 (Liu et al. 2018,
            "An intriguing failing of convolutional neural networks and the CoordConv solution"), for captions that
            tell where things are.
        options: further arguments of the architecture, such as {"alpha": 0.35}.
        class_maps: kinds of things whose maps join the annotation vectors; None adds none.
    """

    architecture: str
    layers: tuple[str, ...] = pydantic.Field(min_length=1)
    image_size: int = pydantic.Field(224, ge=32, le=1024)
    resize: Literal["squash", "crop", "pad"] = "squash"
    coordinates: bool = False
    options: dict[str, float | int | str | bool] = {}
    class_maps: ClassMapsConfig | None = None

    @pydantic.field_validator("options", mode="before")
    @classmethod
    def _numbers_are_small(cls, options: Any) -> Any:
        for key, value in options.items() if isinstance(options, dict) else ():
            if isinstance(value, (int, float)) and not abs(value) <= LARGEST_OPTION:
                raise ValueError(f"{key} is {value}, and no number of an architecture is over {LARGEST_OPTION}")
        return options


class AttentionConfig(Config):
    """The attention mechanism, see `captioner.network.attention`.

    Attributes:
        kind: how query and location are compared, a name of its registry `SCORES`.
        units: width of what is compared.
        activation: of the additive comparison.
        normaliser: what makes weights of scores, a name of its registry `NORMALISERS`.
        heads: masks made at once, which share `units` out among them.
        sentinel: whether a word may look at no place (Lu et al. 2017).
        window: how far local attention reaches, in cells; side of a glimpse's coarse cells.
        inference: what hard attention takes once it is trained: the likeliest location, or the expected context.
    """

    kind: str = "additive"
    units: int = pydantic.Field(512, ge=1, le=4096)
    activation: Literal["tanh", "sigmoid", "relu"] = "tanh"
    normaliser: str = "softmax"
    heads: int = pydantic.Field(1, ge=1, le=64)
    sentinel: bool = False
    window: int = pydantic.Field(2, ge=1, le=64)
    inference: Literal["argmax", "expectation"] = "argmax"


class ContextConfig(Config):
    """What annotation vectors learn of each other before attention sees them, see `captioner.network.context`.

    Attributes:
        kind: a name of its registry; "none" leaves them as the encoder made them.
        units: length of the vectors that come out.
        layers: how often self-attention is repeated.
        heads: of self-attention.
        pattern: which cells a cell may look at in self-attention, a name of the registry of
            `captioner.network.context.patterns`.
        reach: of the patterns: rows and columns to each side, or how many random or global cells.
    """

    kind: str = "none"
    units: int = pydantic.Field(256, ge=1, le=4096)
    layers: int = pydantic.Field(1, ge=1, le=12)
    heads: int = pydantic.Field(4, ge=1, le=64)
    pattern: str = "full"
    reach: int = pydantic.Field(2, ge=1, le=64)


class DecoderConfig(Config):
    """What writes the caption, see `captioner.network.decoder`.

    Attributes:
        kind: a name of its registry: "recurrent" is the decoder of Xu et al. 2015, "transformer" that of Vaswani et
            al. 2017.
        cell: of the recurrent decoder: "lstm" or "gru".
        embedding_size: m, length of a word vector, and of everything that runs through a Transformer.
        lstm_units: n, length of the hidden state; of a Transformer, the hidden layer of its feed-forward part.
        gate: "scalar" is the paper's beta (section 4.2.1); "vector" has one beta for each channel; "none".
        query: what the attention asks with. "previous_state" is the paper's h_{t-1}, which has not read the word
            before: at "dog" of "a brown dog" it has read "a". "previous_state_and_word" adds E y_{t-1}.
            "current_state" is h_t, which has read that word, and what was seen is fed to the next step (Luong et al.
            2015, section 3.3, input feeding).
        layers, heads: of a Transformer.
        tie_embeddings: the output matrix L_o is the transposed word embedding E, which saves its weights.
        max_words: longest caption the model writes unless told otherwise.
        no_repeat_ngram, no_repeat_within: what it does not say again unless told otherwise, as in `DecodingOptions`.
    """

    kind: str = "recurrent"
    cell: Literal["lstm", "gru"] = "lstm"
    embedding_size: int = pydantic.Field(300, ge=1, le=4096)
    lstm_units: int = pydantic.Field(512, ge=1, le=4096)
    gate: Literal["scalar", "vector", "none"] = "scalar"
    query: Literal["previous_state", "previous_state_and_word", "current_state"] = "previous_state"
    layers: int = pydantic.Field(2, ge=1, le=24)
    heads: int = pydantic.Field(4, ge=1, le=64)
    tie_embeddings: bool = False
    max_words: int = pydantic.Field(20, ge=1, le=MAX_WORDS)
    no_repeat_ngram: int = pydantic.Field(0, ge=0, le=20)
    no_repeat_within: int = pydantic.Field(0, ge=0, le=20)


class ConfidenceConfig(Config):
    """A logistic model of the chance that a content word is one that people use, see `captioner.confidence`.

    Every weight is nought or more, so that confidence never falls when a feature rises.

    Attributes:
        bias: of the logistic model.
        probability: weight of the logarithm of the word's probability.
        caption: weight of the mean of that over the content words of the caption.
        lead: weight of how far the word's log-probability lies above that of the best word that might have stood
            instead; negative where another was likelier.
        focus: weight of how narrow the mask is: 1 less its entropy as a share of the uniform mask's.
        frequency: weight of how common the word is: minus the logarithm of its place in the vocabulary.
        shown: weight of the chance that people use the word of the picture, as its annotation vectors tell.
        record: weight of the log odds that the word is right when the model writes it.
        threshold: a caption is sure from this confidence on.
        ranking: weight of what a picture says of a caption's words where captions are ranked, unless told otherwise,
            see `DecodingOptions.evidence`.
    """

    bias: float
    probability: float = pydantic.Field(ge=0)
    caption: float = pydantic.Field(ge=0)
    lead: float = pydantic.Field(ge=0)
    focus: float = pydantic.Field(ge=0)
    frequency: float = pydantic.Field(ge=0)
    shown: float = pydantic.Field(0.0, ge=0)
    record: float = pydantic.Field(0.0, ge=0)
    threshold: float = pydantic.Field(ge=0, le=1)
    ranking: float = pydantic.Field(0.0, ge=0, le=100)

    @property
    def needs_evidence(self) -> bool:
        """Whether it reads what `captioner.evidence` knows."""
        return bool(self.shown or self.record or self.ranking)


class ModelConfig(Config):
    """Everything needed to build the network of a model folder; its vocabulary and weights lie beside it.

    `confidence` builds nothing: it says how far the network's words can be trusted, None where nobody measured it.
    """

    encoder: EncoderConfig
    context: ContextConfig = ContextConfig()
    attention: AttentionConfig = AttentionConfig()
    decoder: DecoderConfig = DecoderConfig()
    confidence: ConfidenceConfig | None = None


class DecodingOptions(Config):
    """How a caption is searched for, and what it may say.

    Attributes:
        strategy: "beam"; "greedy", which is a beam of one; "diverse", beams in groups that keep apart (Vijayakumar
            et al. 2018); "sample", words drawn at random.
        beam_width: hypotheses kept open at each step, by "beam" and "diverse".
        count: how many captions to return, best first; at most `beam_width`, 1 for "greedy", any for "sample".
        min_words, max_words: shortest and longest caption; max_words None means the model's own, and half as much
            again where `min_words` is over three quarters of it. A beam of two or more prefers captions that end within
            the limit to those that it cuts.
        length_penalty: alpha of Wu et al. 2016, equation 14; it ranks hypotheses and leaves `score` alone.
        evidence: weight of what the picture itself says of a caption's words where "beam" ranks those it has finished,
            see `captioner.evidence`; it leaves `score` alone. None means the model's own; 0 ranks by probability alone.
        temperature: "sample" divides log-probabilities by it; below 1 the likely words get likelier.
        top_k: "sample" draws from so many of the likeliest words; None from all.
        top_p: "sample" draws from the likeliest words that hold this share of the probability (Holtzman et al. 2020).
        seed: of "sample"; the same seed gives a picture the same captions, alone or among others. None is random.
        groups: "diverse" splits `beam_width` into so many equal groups; None gives every hypothesis its own.
        diversity: "diverse" takes this from the log-probability of a word for each earlier group that chose it at the
            same step.
        prefix: words the caption begins with.
        required_words: words it must hold, by "beam" and "greedy" (Hokamp & Liu 2017, grid beam search); of "dog|puppy"
            one is enough, in `Captioner.caption` and `captions`.
        forbidden_words: words it may not hold.
        no_repeat_ngram: no run of so many words occurs twice; 0 allows all.
        no_repeat_within: no word that says something of the picture comes again within so many words, as in "a shirt
            and a white shirt"; 0 allows all. Words such as "a" and "with" may (`captioner.vocabulary.FUNCTION_WORDS`),
            but not as in "a an airplane" (`captioner.search.articles`).
        neutral: person, child and people are written for man, woman, boy and girl, and their for his and her; the
            probabilities of the words of a kind are added up before the search chooses (`captioner.search.neutral`).
    """

    strategy: Literal["beam", "greedy", "sample", "diverse"] = "beam"
    beam_width: int = pydantic.Field(5, ge=1, le=20)
    count: int = pydantic.Field(1, ge=1, le=20)
    min_words: int = pydantic.Field(1, ge=0, le=MAX_WORDS)
    max_words: int | None = pydantic.Field(None, ge=1, le=MAX_WORDS)
    length_penalty: float = pydantic.Field(1.0, ge=0.0, le=5.0)
    evidence: float | None = pydantic.Field(None, ge=0.0, le=100.0)
    temperature: float = pydantic.Field(1.0, ge=0.01, le=10.0)
    top_k: int | None = pydantic.Field(None, ge=1)
    top_p: float = pydantic.Field(1.0, gt=0.0, le=1.0)
    seed: int | None = pydantic.Field(None, ge=0)
    groups: int | None = pydantic.Field(None, ge=1, le=20)
    diversity: float = pydantic.Field(0.5, ge=0.0, le=100.0)
    prefix: str = ""
    required_words: tuple[str, ...] = pydantic.Field((), max_length=8)
    forbidden_words: tuple[str, ...] = ()
    no_repeat_ngram: int = pydantic.Field(0, ge=0, le=20)
    no_repeat_within: int = pydantic.Field(0, ge=0, le=20)
    neutral: bool = False

    @pydantic.field_validator("required_words", "forbidden_words", mode="before")
    @classmethod
    def _text_is_words(cls, value: Any) -> Any:
        return tuple(value.split()) if isinstance(value, str) else value

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.max_words is not None and self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is more than max_words {self.max_words}")
        for name, strategies in STRATEGIES_OF.items():
            if self.strategy not in strategies and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name} belongs to strategy {' or '.join(strategies)}, not to '{self.strategy}'")
        if self.count > self.width:
            raise ValueError(f"count {self.count} is more than the {self.width} hypotheses the search keeps")
        if self.strategy == "diverse" and self.beam_width % (self.groups or self.beam_width):
            raise ValueError(f"beam_width {self.beam_width} does not split into {self.groups} equal groups")
        return self

    @property
    def width(self) -> int:
        """Hypotheses the search really keeps."""
        return {"greedy": 1, "sample": self.count}.get(self.strategy, self.beam_width)


STRATEGIES_OF = {
    **dict.fromkeys(("temperature", "top_k", "top_p", "seed"), ("sample",)),
    **dict.fromkeys(("groups", "diversity"), ("diverse",)),
    "evidence": ("beam",),
    "required_words": ("beam", "greedy"),
}


def decoding_options(decoder: DecoderConfig, values: dict[str, Any]) -> DecodingOptions:
    """Options of decoding, with what a model does not say again where `values` leave that open.

    Raises:
        ConfigError: an option is unknown or out of range.
    """
    own = {name: getattr(decoder, name) for name in ("no_repeat_ngram", "no_repeat_within")}
    return DecodingOptions.parse({**own, **values})


def read_changes(changes: Iterable[str]) -> dict[str, Any]:
    """What a command's --set says, key=value each; values that are JSON, such as numbers and null, are read as such.

    Raises:
        ConfigError: one has no "=".
    """
    found: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals:
            raise ConfigError(f"--set takes key=value. Received: {change!r}")
        try:
            found[key] = json.loads(text)
        except (ValueError, RecursionError):
            found[key] = text
    return found
