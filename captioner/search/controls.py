"""Decoding options made ready for one vocabulary: words become ids, and what a search needs becomes arrays."""

from __future__ import annotations

import dataclasses

import numpy as np

from captioner.config import MAX_WORDS, DecodingOptions
from captioner.errors import ConfigError
from captioner.search.articles import ARTICLES, after_articles
from captioner.search.neutral import Neutral
from captioner.vocabulary import FUNCTION_WORDS, NEVER_WRITTEN, PAD, Vocabulary, split_words

ALTERNATIVES = 5
NOT_REPORTED = ("hidden", "context")  # of what a step puts out: the decoder needs them, a caption does not
IMPOSSIBLE = -1e9  # a log-probability no caption reaches; infinities would make NaN of 0 * inf
FALLBACK = 1000.0  # by so much captions that did not end by themselves rank behind those that did
LEAST_END = -7.6  # log-probability, one in 2,000; an end less likely makes a fragment such as "a man in a"


@dataclasses.dataclass(frozen=True)
class Structure:
    """What shapes the graph of a search; everything else is its input, so that one graph serves many captions.

    Attributes:
        strategy: as in `DecodingOptions`.
        width: hypotheses returned, and kept open in each lane of a beam.
        count: how many of them are asked for: a beam may stop when no other can be among them.
        groups: of diverse beam search.
        time: words of the longest caption that its tensors have room for.
        no_repeat_ngram, no_repeat_within: as in `DecodingOptions`.
        required: how many words must appear.
        constrained: whether anything but the vocabulary and the length rules words out.
        kinds: how many kinds of words are added up, and the most words of one; none of them without `neutral`.
    """

    strategy: str
    width: int
    count: int
    groups: int
    time: int
    no_repeat_ngram: int
    no_repeat_within: int
    required: int
    constrained: bool
    kinds: tuple[int, int] = (0, 0)


@dataclasses.dataclass(frozen=True)
class Controls:
    """Decoding options for one vocabulary.

    Attributes:
        options: as they were given.
        max_words: longest caption.
        prefix, required, forbidden: ids of words.
        repeatable: ids of words that `no_repeat_within` does not concern.
        after_articles: by the id of each article, those that cannot follow it; none without `no_repeat_within`.
        room: words that a search keeps room for; None for `max_words`.
        neutral: kinds of words that are added up; None where each stays itself.
    """

    options: DecodingOptions
    max_words: int
    prefix: tuple[int, ...] = ()
    required: tuple[int, ...] = ()
    forbidden: tuple[int, ...] = ()
    repeatable: tuple[int, ...] = ()
    after_articles: dict[int, np.ndarray] = dataclasses.field(default_factory=dict, compare=False)
    room: int | None = None
    neutral: Neutral | None = None

    @classmethod
    def resolve(cls, options: DecodingOptions, vocabulary: Vocabulary, longest: int) -> Controls:
        """Look the words of the options up.

        Args:
            options: what is asked for.
            vocabulary: the words of the model.
            longest: longest caption of the model, where the options name none.

        Raises:
            ConfigError: the vocabulary lacks a word, or no caption can be all that is asked for.
        """
        longest = options.max_words or _with_room(longest, options.min_words)
        prefix = _ids("prefix", [options.prefix], vocabulary)
        required = tuple(dict.fromkeys(_ids("required_words", options.required_words, vocabulary)))
        forbidden = _ids("forbidden_words", options.forbidden_words, vocabulary)
        both = [vocabulary.words[i] for i in (*prefix, *required) if i in forbidden]
        if both:
            raise ConfigError(f"the word '{both[0]}' is forbidden and asked for at once")
        if options.min_words > longest:
            raise ConfigError(f"min_words {options.min_words} is more than the {longest} words a caption may have")
        needed = len(prefix) + len(set(required) - set(prefix))
        if needed > longest:
            raise ConfigError(f"prefix and required_words make {needed} words; a caption may have {longest}")
        repeatable = vocabulary.encode(sorted(word for word in FUNCTION_WORDS if word in vocabulary))
        neutral = Neutral.of(vocabulary, forbidden) if options.neutral else None
        if neutral:
            replaced = [vocabulary.words[i] for i in (*prefix, *required) if i in neutral.replaced]
            if replaced:
                raise ConfigError(f"neutral does not write the word '{replaced[0]}', which is asked for; leave out one")
        articles = after_articles(vocabulary) if options.no_repeat_within else {}
        return cls(options, longest, prefix, required, forbidden, tuple(repeatable), articles, neutral=neutral)

    @property
    def time(self) -> int:
        """Words that a search keeps room for."""
        return self.room or self.max_words

    @property
    def structure(self) -> Structure:
        """What shapes the graph."""
        options = self.options
        strategy = "beam" if options.strategy == "greedy" else options.strategy
        groups = options.groups or options.width
        return Structure(
            strategy,
            options.width,
            options.count,
            groups if strategy == "diverse" else 1,
            self.time,
            options.no_repeat_ngram,
            options.no_repeat_within,
            len(self.required),
            bool(self.prefix or self.required or options.no_repeat_ngram or options.no_repeat_within or self.neutral),
            self.neutral.shape if self.neutral else (0, 0),
        )

    def inputs(self, vocabulary_size: int) -> dict[str, np.ndarray]:
        """What a search takes besides the annotation vectors, see `captioner.search.in_graph.search`."""
        options, steps = self.options, self.time + 1
        prefix = np.full(steps, PAD, np.int32)
        prefix[: len(self.prefix)] = self.prefix
        inputs = {
            "banned": self.banned(vocabulary_size),
            "prefix": prefix,
            "min_words": np.asarray(options.min_words, np.int32),
            "max_words": np.asarray(self.max_words, np.int32),
            "length_penalty": np.asarray(options.length_penalty, np.float32),
        }
        if options.no_repeat_within:
            inputs["repeatable"] = np.zeros(vocabulary_size, np.float32)
            inputs["repeatable"][list(self.repeatable)] = 1.0
            inputs |= self._articles(vocabulary_size)
        if self.neutral:
            inputs |= self.neutral.inputs(vocabulary_size)
        if self.required:
            inputs["required"] = np.asarray(self.required, np.int32)
        if options.strategy == "diverse":
            inputs["diversity"] = np.asarray(options.diversity, np.float32)
        if options.strategy == "sample":
            inputs |= {
                "temperature": np.asarray(options.temperature, np.float32),
                "top_k": np.asarray(min(options.top_k or vocabulary_size, vocabulary_size), np.int32),
                "top_p": np.asarray(options.top_p, np.float32),
                "chance": np.pad(self.chance(), [(0, 0), (0, self.time - self.max_words)])[None],
            }
        return inputs

    def _articles(self, vocabulary_size: int) -> dict[str, np.ndarray]:
        """What the graph of a search takes: "articles" ids (3,), PAD where there is none; "after_articles" (3,
        vocabulary_size), 1 for words that cannot follow."""
        articles = np.full(len(ARTICLES), PAD, np.int32)
        after = np.zeros((len(ARTICLES), vocabulary_size), np.float32)
        for row, (article, words) in enumerate(self.after_articles.items()):
            articles[row] = article
            after[row, words] = 1.0
        return {"articles": articles, "after_articles": after}

    def banned(self, vocabulary_size: int) -> np.ndarray:
        """(vocabulary_size,) float32 to add to log-probabilities: symbols and words no caption may hold."""
        banned = np.zeros(vocabulary_size, np.float32)
        replaced = self.neutral.replaced if self.neutral else ()
        banned[[*NEVER_WRITTEN, *self.forbidden, *replaced]] = IMPOSSIBLE
        return banned

    def chance(self) -> np.ndarray:
        """(width, steps) numbers from 0 to 1 that decide what is sampled, those of a seed always the same."""
        return np.random.default_rng(self.options.seed).random((self.options.width, self.max_words + 1), np.float32)


def _with_room(longest: int, min_words: int) -> int:
    """The model's longest caption, or half as much again: one that must nearly reach it needs room for its end."""
    return min(longest + longest // 2, MAX_WORDS) if 0.75 * longest < min_words <= longest < MAX_WORDS else longest


def _ids(name: str, texts, vocabulary: Vocabulary) -> tuple[int, ...]:
    words = [word for text in texts for word in split_words(text)]
    if any("|" in text for text in texts if name == "required_words"):
        raise ConfigError(f"{name}: choices such as 'dog|puppy' are for caption and captions; name single words here")
    for word in words:
        if word not in vocabulary:
            raise ConfigError(f"{name}: the model does not know the word '{word}'; choose one of its vocabulary.txt")
    return tuple(vocabulary.encode(words))
