"""Several edits in one checkpoint: what is asked for, and what came of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from contract.wire.edits import Deadline, Metadata, Name, PadRank
from contract.wire.frozen import Frozen
from contract.wire.ids import EDIT_ID, checkpoint_id_of
from contract.wire.lifecycle import Outcome
from contract.wire.views import Answer, Metrics, NeuronView

MOST_EDITS = 200

EditId = Annotated[str, Field(pattern=EDIT_ID)]


class ComposeRequest(Frozen):
    """Finished edits to put into one checkpoint. To undo one of them, compose the others."""

    model: Name | None = Field(default=None, description="The edits' model; may be left out.")
    edits: tuple[EditId, ...] = Field(
        min_length=1, max_length=MOST_EDITS, description="Their ids, each once, in any order."
    )
    require_held: bool = Field(
        strict=True, default=False, description="Whether it is a failure when one does not hold."
    )
    pad_rank: PadRank = None
    deadline_s: Deadline = None
    metadata: Metadata = Field(default_factory=dict)

    @property
    def built_on(self) -> frozenset[str]:
        """The checkpoints that have to be there when the edits are put together."""
        return frozenset(map(checkpoint_id_of, self.edits))

    @field_validator("edits")
    @classmethod
    def _each_once(cls, edits: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(edits)) < len(edits):
            raise ValueError("names an edit twice")
        return edits


class Retest(Frozen):
    """One of the edits, asked of the model that has them all."""

    edit_id: str
    outcome: Outcome
    before: str = Field(description="The unedited model's free continuation of the prompt.")
    after: str = Field(description="The continuation of the model that has all the edits.")
    answers: tuple[Answer, ...] = ()
    metrics: Metrics


class ConflictKind(StrEnum):
    """In what way two edits may be in each other's way."""

    SAME_SUBJECT = "same_subject"
    OVERLAPPING_COLUMNS = "overlapping_columns"


class Conflict(Frozen):
    """Two edits that may be in each other's way; whether they are, their retests tell."""

    kind: ConflictKind
    edits: tuple[str, str]
    subject: str | None = Field(default=None, description="What both are about.")
    neurons: tuple[NeuronView, ...] = Field(
        default=(), description="What both write; the score is the first one's."
    )


class Composition(Frozen):
    """What became of each edit in the presence of the others."""

    outcome: Outcome = Field(description="`held` where every edit holds.")
    retests: tuple[Retest, ...]
    conflicts: tuple[Conflict, ...] = ()
