"""What an edit would take, and what admission makes of it, as it goes over the wire."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contract.wire.frozen import Frozen

Bytes = Annotated[int, Field(ge=0)]


class Decision(StrEnum):
    """What admission makes of an edit."""

    ADMIT = "admit"
    ADMIT_REDUCED = "admit_reduced"
    DEFER = "defer"
    REJECT = "reject"


class MemoryItem(Frozen):
    """One part of the predicted peak."""

    name: str
    bytes: Bytes
    depends_on: str


class Applied(Frozen):
    """The settings that admission chose."""

    layers_per_pass: int
    adaptive_threshold: float | None = Field(
        default=None,
        description="The threshold used in place of the request's own; null: the request's own.",
    )
    max_neurons: int | None = Field(
        default=None,
        description="Number of neurons that is sure to fit; null: all that may be found.",
    )


class LargestFit(Frozen):
    """The largest settings of a request that would fit, with one layer per pass."""

    steps: int
    prompts: int = Field(description="How many of `prompt` and the first `refine_prompts`.")
    protect_prompts: int = Field(description="How many of the first `protect_prompts`.")
    questions: int = Field(
        description="Prompts that only score: the first of `rephrase_prompts`, then of `locality`, "
        "then of `portability`."
    )
    max_neurons: int | None = Field(
        description="Number of neurons that is sure to fit, in any layers; null: as many as the "
        "request may choose, or, where it depends on the neurons, possibly none."
    )

    def __str__(self) -> str:
        told = self.model_dump(exclude_none=True).items()
        return "would fit: " + ", ".join(f"{name} {value}" for name, value in told)


class Admission(Frozen):
    """Whether the edit fits, with the figures; bytes are above the resident weights."""

    decision: Decision
    predicted_peak_bytes: Bytes
    budget_bytes: Bytes | None = Field(
        description="What the edit may take; null when no worker has reported it yet."
    )
    items: tuple[MemoryItem, ...]
    applied: Applied
    reasons: tuple[str, ...] = ()
    largest_fit: LargestFit | None = Field(
        default=None,
        description="For a rejected request, the largest version that would fit; null: none.",
    )


class EasyEditCost(Frozen):
    """What EasyEdit's own KN would take for the same fact."""

    peak_bytes: Bytes = Field(description="Its peak in all, including the weights in float32.")
    items: tuple[MemoryItem, ...] = Field(
        description="The weights and the autograd graphs that it keeps."
    )


class EditEstimate(Admission):
    """The admission that an edit would get, and what EasyEdit's own KN would take."""

    easyedit: EasyEditCost
