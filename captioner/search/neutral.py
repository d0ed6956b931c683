"""Person, child and people for man, woman, boy and girl: the probabilities of the words of one kind are added up.

A sentence is not changed afterwards. At each step of a search, before it chooses, the words of a kind become one word
with all their probability, and what follows is written for that word. So "a man and his dog" gives "a person and their
dog", and where the network wavers between man and woman, person is as likely as both together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Self

import numpy as np

from captioner.errors import ConfigError
from captioner.vocabulary import PAD, Vocabulary

# What is written instead, the best word first, and what it stands for. Each takes the article and the verb of the words
# that it replaces: "a policeman" becomes "a police officer", since "a officer" is wrong. A kind of whose words the
# vocabulary has none is given up: its words are not written, and others take their place.
KINDS = (
    ("person human", "man woman guy lady gentleman dude gal lad fisherman cameraman businessman businesswoman "
                     "salesman salesperson workman craftsman tradesman repairman groomsman bridesmaid"),
    ("", "male female"),  # nouns or not: "a male skater" has no person in it
    ("people humans adults", "men women guys ladies gentlemen dudes gals lads males females fishermen cameramen "
                             "businessmen businesswomen salesmen workmen craftsmen repairmen groomsmen bridesmaids"),
    ("persons their", "mans womans ladys gentlemans"),
    ("peoples their", "mens womens"),
    ("child kid toddler person", "boy girl schoolboy schoolgirl"),
    ("children kids toddlers people", "boys girls schoolboys schoolgirls"),
    ("parent person", "mother father mom dad mum mommy daddy"),
    ("parents people", "mothers fathers moms dads mums"),
    ("grandparent parent person", "grandmother grandfather grandma grandpa"),
    ("grandparents parents people", "grandmothers grandfathers"),
    ("child kid person", "son daughter"),
    ("children kids people", "sons daughters"),
    ("sibling person", "brother sister"),
    ("siblings people", "brothers sisters"),
    ("partner spouse person", "husband wife boyfriend girlfriend"),
    ("partners spouses people", "husbands wives boyfriends girlfriends"),
    ("police person", "policeman policewoman"),
    ("police people", "policemen policewomen"),
    ("firefighter person", "fireman"),
    ("firefighters people", "firemen"),
    ("server person", "waiter waitress"),
    ("servers people", "waiters waitresses"),
    ("player person", "baseman"),
    ("batter player person", "batsman"),
    ("they", "he she"),
    ("them", "him"),
    ("their the", "his her"),
    ("theirs", "hers"),
    ("themselves themself", "himself herself"),
    ("theyre", "hes shes"),
)  # fmt: skip

ENGLISH = frozenset({"a", "the", "person", "people", "child", "children", "their"})
SINGULAR_VERBS = frozenset({"is", "was", "has", "does", "isnt", "wasnt", "hasnt", "doesnt"})


@dataclasses.dataclass(frozen=True)
class Neutral:
    """The kinds as ids of one vocabulary.

    Attributes:
        kinds: each the word that is written, and all whose probabilities it takes, itself among them.
        replaced: words that are not written.
        they: the word after which a verb is plural; PAD where the vocabulary has none.
        singular: words that cannot follow it: verbs of a single subject, such as "is" and "runs".
    """

    kinds: tuple[tuple[int, tuple[int, ...]], ...]
    replaced: tuple[int, ...]
    they: int = PAD
    singular: tuple[int, ...] = ()

    @classmethod
    def of(cls, vocabulary: Vocabulary, forbidden: Iterable[int] = ()) -> Self:
        """The kinds of a vocabulary; a word that is forbidden is not written for a kind, the next best one is.

        Raises:
            ConfigError: the vocabulary is not English.
        """
        if not any(word in vocabulary for word in ENGLISH):
            raise ConfigError("neutral knows English words, and this model writes none of them; leave neutral out")
        unwanted = set(vocabulary.decode(forbidden))
        kinds: dict[int, list[int]] = {}
        replaced: list[int] = []
        for written, words in KINDS:
            ids = vocabulary.encode(word for word in words.split() if word in vocabulary)
            instead = next((word for word in written.split() if word in vocabulary and word not in unwanted), None)
            replaced += ids
            if ids and instead:
                target = vocabulary.encode([instead])[0]
                kinds.setdefault(target, [target]).extend(ids)
        they = vocabulary.encode(["they"])[0] if kinds and "they" in vocabulary else PAD
        singular = [i for i, word in enumerate(vocabulary.words) if _is_singular_verb(word, vocabulary)] if they else []
        return cls(tuple((i, tuple(ids)) for i, ids in kinds.items()), tuple(replaced), they, tuple(singular))

    @property
    def written(self) -> frozenset[int]:
        """Words that stand for a kind. They may come again: a man and a woman are a person and a person."""
        return frozenset(target for target, _ in self.kinds)

    @property
    def shape(self) -> tuple[int, int]:
        """How many kinds there are, and the most words of one."""
        return len(self.kinds), max((len(words) for _, words in self.kinds), default=0)

    def inputs(self, vocabulary_size: int) -> dict[str, np.ndarray]:
        """What the graph of a search takes: "kinds" ids (kinds, words), PAD behind the last; "kind_of"
        (vocabulary_size,), where the sum of a word stands behind the words, or the word itself; "they"; and
        "after_they" (vocabulary_size,), 1 for words that cannot follow it."""
        if not self.kinds:
            return {}
        kinds = np.full(self.shape, PAD, np.int32)
        kind_of, after_they = np.arange(vocabulary_size, dtype=np.int32), np.zeros(vocabulary_size, np.float32)
        for row, (target, words) in enumerate(self.kinds):
            kinds[row, : len(words)] = words
            kind_of[target] = vocabulary_size + row
        after_they[list(self.singular)] = 1.0
        return {"kinds": kinds, "kind_of": kind_of, "they": np.asarray(self.they, np.int32), "after_they": after_they}

    def add_up(self, log_probabilities: np.ndarray) -> np.ndarray:
        """(..., vocabulary_size) log-probabilities with those of each kind added up in the word that is written."""
        values = log_probabilities.copy()
        for target, words in self.kinds:
            values[..., target] = np.logaddexp.reduce(log_probabilities[..., words], axis=-1)
        return values


def _is_singular_verb(word: str, vocabulary: Vocabulary) -> bool:
    """Whether a word may be one: "runs" where there is "run", "catches" where there is "catch"."""
    if word in SINGULAR_VERBS:
        return True
    stems = {word[:-1], word.removesuffix("es"), word.removesuffix("ies") + "y"} - {word, word + "y"}
    return word.endswith("s") and len(word) > 3 and any(stem in vocabulary for stem in stems)
