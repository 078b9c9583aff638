"""What one edit asks of the engine, in tokens and neurons."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from contract.memory.portions import (
    FEWEST_NEW_TOKENS,
    PRESERVED_SAYINGS,
    PRESERVED_TOKENS_PER_TEXT,
    SAMPLED_TEXTS,
    SAMPLED_TOKENS,
    parted,
    references_at_once,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceShape:
    """One prompt with one answer, in tokens; the prompt counts its BOS."""

    prompt_tokens: int
    answer_tokens: int

    @property
    def tokens(self) -> int:
        """Positions that are run: the last answer token is only predicted."""
        return self.prompt_tokens + self.answer_tokens - 1

    def one_by_one(self) -> "list[SequenceShape]":
        """As EasyEdit runs it: for BOS and each answer token a prompt of its own, ever longer."""
        return [
            SequenceShape(prompt_tokens=self.prompt_tokens + i, answer_tokens=1)
            for i in range(self.answer_tokens + 1)
        ]


def alike(sequences: Sequence[SequenceShape], *, most: int) -> Iterator[Sequence[SequenceShape]]:
    """Sequences with equally long answers, at most `most` at a time, in order."""
    for length in dict.fromkeys(sequence.answer_tokens for sequence in sequences):
        group = [sequence for sequence in sequences if sequence.answer_tokens == length]
        for start in range(0, len(group), most):
            yield group[start : start + most]


class Nodes(Enum):
    """How points lie on the integration path."""

    RIEMANN = "riemann"
    GAUSS_LEGENDRE = "gauss_legendre"
    ENDPOINTS = "endpoints"

    def rows_per_layer(self, steps: int) -> int:
        """Nodes at which a layer's rows enter: those of the rule and α = 0; α = 1 is one row shared
        by all layers."""
        match self:
            case Nodes.RIEMANN:  # has α = 1, and not 0
                return steps
            case Nodes.GAUSS_LEGENDRE:  # has neither
                return steps + 1
            case Nodes.ENDPOINTS:  # has both; a single point is α = 0
                return max(steps - 1, 1)


class Write(Enum):
    """How columns are changed."""

    SEARCHED = "searched"  # whitened against reference text, and found by descent
    DIRECT = "direct"  # one vector for all
    ERASED = "erased"


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
        """Texts sampled from the model, with BOS, and what earlier edits say. At most, none ends
        early and none occurs twice; at least, those that are preserved end at once."""
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


SAMPLED = References.sampled()
"""Sampled references without any earlier edit."""


def preserved_of(said: Iterable[int]) -> tuple[int, ...]:
    """Upper bounds of the lengths of earlier edits' texts that are preserved at every look."""
    lengths = sorted((min(length, PRESERVED_TOKENS_PER_TEXT) for length in said), reverse=True)
    return tuple(lengths[:PRESERVED_SAYINGS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The neurons to write: how many in all and in the widest layer, and in which layers."""

    neurons: int
    widest: int
    layers: int
    lowest: int = 0

    @classmethod
    def of(cls, layers: Iterable[int]) -> "Chosen":
        """The neurons whose layers these are; at least one."""
        by_layer = Counter(layers)
        return cls(
            neurons=by_layer.total(),
            widest=max(by_layer.values()),
            layers=len(by_layer),
            lowest=min(by_layer),
        )


@dataclass(frozen=True, slots=True)
class AdapterShape:
    """An adapter as memory counts it: what it writes, and its directions in each layer."""

    chosen: Chosen
    rank: int


@dataclass(frozen=True, slots=True)
class PreservedBatch:
    """Texts to preserve that are run together, padded to the longest."""

    texts: int
    longest: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What one edit asks of the engine.

    `attributed_new` are statements of the new answer, attributed after those of the old one. Before
    `chosen` is known, at most `max_neurons` are written, and they may all be in one layer.
    """

    attributed: tuple[SequenceShape, ...]
    attributed_new: tuple[SequenceShape, ...] = ()
    written: tuple[SequenceShape, ...]
    evaluated: tuple[SequenceShape, ...] = ()
    new_tokens: int = FEWEST_NEW_TOKENS
    steps: int = 20
    nodes: Nodes = Nodes.RIEMANN
    gated_unit: bool = False
    walked: int = 0  # tokens of the longest prompt along which EasyEdit's write asks the model
    write: Write = Write.SEARCHED
    ended: bool = True  # the token after the new answer is part of the target
    max_neurons: int = 4096
    chosen: Chosen | None = None
    references: References = References()
    protected: tuple[int, ...] = ()
    sayings: tuple[int, ...] = ()  # lengths of earlier edits' texts to preserve
    base: AdapterShape | None = None
    pad_rank: int | None = None  # pad the rank to one that vLLM accepts, at least this
    rank: int | None = None  # directions in a layer, where they are not those of the write
    preserved: tuple[PreservedBatch, ...] | None = None  # None until the texts are known

    @property
    def rows_per_layer(self) -> int:
        """Rows that enter at each layer, for each token that is attributed."""
        return self.nodes.rows_per_layer(self.steps)
