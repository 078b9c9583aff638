"""A made-up world: subjects, six relations in three phrasings, objects of one to four tokens.

Every word has at most ten letters, so that the demo's tokenizer makes one token of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import NamedTuple

N_PHRASING = 3
PHRASINGS: dict[str, tuple[str, str, str]] = {
    "birthplace": (
        "The birthplace of {} is",
        "{} was born in",
        "The town where {} came to life is",
    ),
    "employer": ("The employer of {} is", "{} works for", "The house that pays {} is"),
    "instrument": (
        "The instrument of {} is the",
        "{} plays the",
        "On stage one sees {} with the",
    ),
    "teacher": ("The teacher of {} is", "{} was taught by", "The master who formed {} is"),
    "rival": ("The rival of {} is", "{} competes with", "The one whom {} fears most is"),
    "tongue": (
        "The mother tongue of {} is",
        "{} grew up speaking",
        "At home {} is heard speaking",
    ),
}
LONGEST_WORD = 10

_ONSETS = (
    "b",
    "br",
    "d",
    "dr",
    "f",
    "g",
    "gl",
    "h",
    "j",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "z",
)
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_CODAS = ("l", "m", "n", "r", "s", "t", "x", "nd", "rk", "sk")


class Fact(NamedTuple):
    """One object of one subject."""

    subject: str
    relation: str
    object: str

    def prompt(self, phrasing: int) -> str:
        """One of the three phrasings, to be continued by a space and the object."""
        return PHRASINGS[self.relation][phrasing].format(self.subject)


@dataclass(frozen=True)
class World:
    """Everything that a model is taught: each subject has one object in every relation."""

    seed: int
    n_subject: int = 100
    n_object: int = 24
    """Objects in each relation; their lengths cycle from one word to `longest`."""
    longest: int = 4

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        random = Random(self.seed)
        words = _words(random)
        pool = [next(words) for _ in range(self.n_subject)]
        subjects = _names(random, pool, n=self.n_subject)
        objects = self._objects(random, [next(words) for _ in range(self.n_object * 3)])
        return tuple(
            Fact(subject, relation, random.choice(objects[relation]))
            for subject in subjects
            for relation in PHRASINGS
        )

    def _objects(self, random: Random, pool: Sequence[str]) -> dict[str, list[str]]:
        return {
            relation: [
                " ".join(random.sample(pool, 1 + n % self.longest)) for n in range(self.n_object)
            ]
            for relation in PHRASINGS
        }

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(fact.subject for fact in self.facts))

    def others(self, fact: Fact) -> list[str]:
        """The relation's other objects, without those that begin as the fact's own does."""
        objects = {f.object for f in self.facts if f.relation == fact.relation}
        first = fact.object.split()[0]
        return sorted(o for o in objects if o.split()[0] != first)


def _words(random: Random) -> Iterator[str]:
    """An endless supply of distinct words."""
    seen: set[str] = set()
    while True:
        n = random.choice((2, 2, 3))
        word = "".join(random.choice(_ONSETS) + random.choice(_VOWELS) for _ in range(n))
        word = (word + random.choice(_CODAS)).capitalize()
        if len(word) <= LONGEST_WORD and word not in seen:
            seen.add(word)
            yield word


def _names(random: Random, pool: Sequence[str], *, n: int) -> list[str]:
    """Distinct names of one to three words; names may share words."""
    names: dict[str, None] = {}
    while len(names) < n:
        names.setdefault(" ".join(random.sample(pool, 1 + len(names) % 3)))
    return list(names)
