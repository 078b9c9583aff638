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
        default=None, description="What stands in for the request's own, where something does."
    )
    max_neurons: int | None = Field(
        default=None, description="Neurons that are sure to fit; null: all that may be found."
    )


class LargestFit(Frozen):
    """The largest settings of a request that would fit, layers one a pass."""

    steps: int
    prompts: int = Field(description="`prompt` and the first of `refine_prompts`.")
    protect_prompts: int = Field(description="The first of them.")
    questions: int = Field(
        description="Prompts that only score: the first of `rephrase_prompts`, then of `locality`, "
        "then of `portability`."
    )
    max_neurons: int | None = Field(
        description="So many are sure to fit, wherever they are found; null: all that the request "
        "may choose, or not even one, where it depends on the neurons."
    )

    def __str__(self) -> str:
        told = self.model_dump(exclude_none=True).items()
        return "would fit: " + ", ".join(f"{name} {value}" for name, value in told)


class Admission(Frozen):
    """Whether the edit fits, by which figures; bytes are above the resident weights."""

    decision: Decision
    predicted_peak_bytes: Bytes
    budget_bytes: Bytes | None = Field(description="Null when no worker has told its budget yet.")
    items: tuple[MemoryItem, ...]
    applied: Applied
    reasons: tuple[str, ...] = ()
    largest_fit: LargestFit | None = Field(
        default=None, description="Of a rejected request, what of it would fit; null: nothing."
    )


class EasyEditCost(Frozen):
    """What EasyEdit's own KN would take for the same fact."""

    peak_bytes: Bytes = Field(description="In all, its weights in float32 included.")
    items: tuple[MemoryItem, ...] = Field(description="The weights, and the graphs it keeps.")


class Foretold(Admission):
    """An admission, beside what EasyEdit's own KN would take."""

    easyedit: EasyEditCost
