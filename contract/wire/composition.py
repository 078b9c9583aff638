"""Several edits in one checkpoint: what is asked for, and what came of it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, field_validator

from contract.wire.edits import Deadline, Metadata, Name, PadRank
from contract.wire.frozen import Frozen
from contract.wire.ids import EDIT_ID, checkpoint_id_of
from contract.wire.lifecycle import Outcome
from contract.wire.views import Answer, Metrics, NeuronView

MAX_EDITS = 200

EditId = Annotated[str, Field(pattern=EDIT_ID)]


class ComposeRequest(Frozen):
    """Finished edits to put into one checkpoint. To undo one of them, compose the others."""

    model: Name | None = Field(default=None, description="The model of the edits; may be left out.")
    edits: tuple[EditId, ...] = Field(
        min_length=1, max_length=MAX_EDITS, description="Their ids, each once, in any order."
    )
    require_held: bool = Field(
        strict=True,
        default=False,
        description="Fail the composition if one of the edits does not hold.",
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
            raise ValueError("lists an edit twice")
        return edits


class Retest(Frozen):
    """One of the edits, evaluated on the model that has them all."""

    edit_id: str
    outcome: Outcome
    before: str = Field(description="The unedited model's free continuation of the prompt.")
    after: str = Field(description="The continuation of the model that has all the edits.")
    answers: tuple[Answer, ...] = ()
    metrics: Metrics


class ConflictKind(StrEnum):
    """How two edits may conflict."""

    SAME_SUBJECT = "same_subject"
    OVERLAPPING_COLUMNS = "overlapping_columns"


class Conflict(Frozen):
    """Two edits that may conflict; their retests show whether they do."""

    kind: ConflictKind
    edits: tuple[str, str]
    subject: str | None = Field(default=None, description="The subject of both.")
    neurons: tuple[NeuronView, ...] = Field(
        default=(), description="The neurons that both edit, with the first one's scores."
    )


class Composition(Frozen):
    """What became of each edit in the presence of the others."""

    outcome: Outcome = Field(description="`held` where every edit holds.")
    retests: tuple[Retest, ...]
    conflicts: tuple[Conflict, ...] = ()
