"""What one edit asks of the engine, in tokens and neurons."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from contract.memory.batch_sizes import DEFAULT_MAX_NEURONS, FEWEST_NEW_TOKENS
from contract.memory.references import NO_REFERENCES, PreservedBatch, References


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
    max_neurons: int = DEFAULT_MAX_NEURONS
    chosen: Chosen | None = None
    references: References = NO_REFERENCES
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
