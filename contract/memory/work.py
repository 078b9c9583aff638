"""What one edit asks of the engine, in tokens."""

from dataclasses import dataclass


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What one edit asks of the engine."""

    attributed: tuple[SequenceShape, ...]
    written: tuple[SequenceShape, ...]
    evaluated: tuple[SequenceShape, ...] = ()
    steps: int = 20
    max_neurons: int = 4096
    reference_rows: int = 0
    protected_tokens: int = 0
    gated_unit: bool = False
