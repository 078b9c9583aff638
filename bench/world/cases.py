"""Cases for an edit: the fact to change, how it is phrased, and the facts around it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import permutations
from random import Random
from typing import NamedTuple

from bench.world.facts import N_PHRASING, Fact, World

N_REFERENCE_SUBJECT = 36
N_PROBE = 20
ORDERS = tuple(permutations(range(N_PHRASING)))

_SPLIT_SEED = 41
_CASE_SEED = 43


class Setting(StrEnum):
    """How much of a fact the engine is shown."""

    REFINED = "refined"
    ALONE = "alone"

    @property
    def n_shown(self) -> int:
        """The number of phrasings that it sees."""
        return 2 if self is Setting.REFINED else 1


class Saying(NamedTuple):
    """A fact in one of its phrasings."""

    fact: Fact
    phrasing: int

    @property
    def prompt(self) -> str:
        return self.fact.prompt(self.phrasing)

    @property
    def sentence(self) -> str:
        return f"{self.prompt} {self.fact.object}."


@dataclass(frozen=True, slots=True)
class Case:
    """One edit: `phrasings` are in the order prompt, refining prompt, held out."""

    fact: Fact
    target: str
    phrasings: tuple[int, ...]
    probes: dict[str, tuple[Saying, ...]]
    """Facts that should not change, by what they share with the edited one."""

    def shown(self, setting: Setting) -> tuple[str, ...]:
        return tuple(self.fact.prompt(p) for p in self.phrasings[: setting.n_shown])

    @property
    def sayings(self) -> list[Saying]:
        """Everything that is measured: the fact in every phrasing, and the probes."""
        own = [Saying(self.fact, phrasing) for phrasing in self.phrasings]
        return [*own, *(saying for probes in self.probes.values() for saying in probes)]

    def held_out(self, setting: Setting) -> tuple[str, ...]:
        return tuple(self.fact.prompt(p) for p in self.phrasings[setting.n_shown :])


@dataclass(frozen=True)
class Split:
    """A world's subjects in two parts: those of the references, and those of the measured facts."""

    world: World

    @cached_property
    def reference_subjects(self) -> frozenset[str]:
        return frozenset(Random(_SPLIT_SEED).sample(self.world.subjects, N_REFERENCE_SUBJECT))

    @cached_property
    def measured(self) -> tuple[Fact, ...]:
        return tuple(f for f in self.world.facts if f.subject not in self.reference_subjects)

    def references(self, phrasings: Sequence[int]) -> list[Saying]:
        """All facts of the reference subjects in the phrasings."""
        facts = [f for f in self.world.facts if f.subject in self.reference_subjects]
        return [Saying(fact, phrasing) for fact in facts for phrasing in phrasings]

    def sayings(self) -> list[Saying]:
        """All measured facts in all phrasings."""
        return [Saying(fact, p) for fact in self.measured for p in range(N_PHRASING)]

    def cases(self, n: int) -> list[Case]:
        """Cases of distinct facts, the roles of their phrasings in rotation; a larger n only adds
        cases."""
        random = Random(_CASE_SEED)
        facts = random.sample(self.measured, len(self.measured))[:n]
        return [
            Case(
                fact=fact,
                target=random.choice(self.world.others(fact)),
                phrasings=ORDERS[i % len(ORDERS)],
                probes=self._probes(random, fact),
            )
            for i, fact in enumerate(facts)
        ]

    def _probes(self, random: Random, fact: Fact) -> dict[str, tuple[Saying, ...]]:
        others = [f for f in self.measured if f.subject != fact.subject]
        alike = [f for f in others if f.relation == fact.relation]
        own = [f for f in self.measured if f.subject == fact.subject and f != fact]
        return {
            "random": _drawn(random, others),
            "relation": _drawn(random, alike),
            "subject": tuple(Saying(f, p) for f in own for p in range(N_PHRASING)),
        }


def check_apart(references: Sequence[Saying], probes: Sequence[Saying]) -> None:
    """No reference is about a subject that is measured."""
    told = {saying.fact.subject for saying in references}
    assert told.isdisjoint(saying.fact.subject for saying in probes)
    prompts = {saying.prompt for saying in references}
    assert prompts.isdisjoint(saying.prompt for saying in probes)


def _drawn(random: Random, facts: Sequence[Fact]) -> tuple[Saying, ...]:
    drawn = random.sample(facts, N_PROBE)
    return tuple(Saying(fact, random.randrange(N_PHRASING)) for fact in drawn)
