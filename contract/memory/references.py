"""The texts that an edit must preserve, in tokens."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from contract.memory.batch_sizes import (
    PRESERVED_SAYINGS,
    PRESERVED_TOKENS_PER_TEXT,
    SAMPLED_TEXTS,
    SAMPLED_TOKENS,
    parted,
    references_at_once,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """The texts to preserve, in tokens; `said` of them are what earlier edits say."""

    texts: int = 0
    said: int = 0
    tokens: int = 0
    longest: int = 0
    at_once: int = 0  # the most tokens that are run together
    shortest: int = 0
    crossed: bool = True  # some may be preserved a second time, followed by the new answer's start

    @classmethod
    def of(cls, lengths: Sequence[int], *, said: int = 0) -> "References":
        """Texts of these lengths; equally long ones are run together."""
        alike = Counter(lengths).items()
        return cls(
            texts=len(lengths),
            said=said,
            tokens=sum(lengths),
            longest=max(lengths),
            at_once=max(min(n, references_at_once(length)) * length for length, n in alike),
            shortest=min(lengths),
        )

    @classmethod
    def sampled(cls, said: Sequence[int] = ()) -> "References":
        """Texts sampled from the model, each with the token that it begins with, and what earlier
        edits say. At most, none ends early and none occurs twice; at least, those that are
        preserved end at once."""
        lengths = [SAMPLED_TOKENS + 1] * SAMPLED_TEXTS
        return replace(cls.of([*lengths, *said], said=len(said)), shortest=1)

    @property
    def parts(self) -> list[range]:
        """The references, without earlier edits' texts, in the parts that are preserved in turn."""
        return parted(self.texts - self.said)

    @property
    def at_least(self) -> "References":
        """The same if the texts that are preserved are the shortest."""
        return replace(self, longest=self.shortest, crossed=False)


NO_REFERENCES = References()
SAMPLED = References.sampled()
"""Sampled references without any earlier edit."""


def preserved_of(said: Iterable[int]) -> tuple[int, ...]:
    """Upper bounds of the lengths of earlier edits' texts that are preserved at every look."""
    lengths = sorted((min(length, PRESERVED_TOKENS_PER_TEXT) for length in said), reverse=True)
    return tuple(lengths[:PRESERVED_SAYINGS])


@dataclass(frozen=True, slots=True)
class PreservedBatch:
    """Texts to preserve that are run together, padded to the longest."""

    texts: int
    longest: int
    tokens: int
