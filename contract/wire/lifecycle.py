"""The states an edit passes through, and which step may follow which."""

from enum import StrEnum


class EditStatus(StrEnum):
    """Where an edit stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({EditStatus.SUCCEEDED, EditStatus.FAILED, EditStatus.CANCELED})
UNFINISHED = frozenset(EditStatus) - FINAL

FOLLOWS: dict[EditStatus, frozenset[EditStatus]] = {
    # Canceling, if an earlier attempt may still publish.
    EditStatus.QUEUED: frozenset(
        {EditStatus.RUNNING, EditStatus.CANCELING, EditStatus.FAILED, EditStatus.CANCELED}
    ),
    EditStatus.RUNNING: frozenset(
        {EditStatus.QUEUED, EditStatus.CANCELING, EditStatus.SUCCEEDED, EditStatus.FAILED}
    ),
    # Not failed: what breaks now was to be stopped anyhow.
    EditStatus.CANCELING: frozenset({EditStatus.CANCELED, EditStatus.SUCCEEDED}),
    EditStatus.SUCCEEDED: frozenset(),
    EditStatus.FAILED: frozenset(),
    EditStatus.CANCELED: frozenset(),
}


def leads_to(target: EditStatus) -> frozenset[EditStatus]:
    """The states from which `target` may be entered."""
    return frozenset(status for status, following in FOLLOWS.items() if target in following)


class QueuedReason(StrEnum):
    """Why a queued edit is not running yet, where there is more to say than "others are first"."""

    NO_WORKER = "no_worker"
    WAITING_FOR_MEMORY = "waiting_for_memory"
    RETRYING = "retrying"


class Outcome(StrEnum):
    """Whether the edited model, generating freely, begins its answer with the new target."""

    HELD = "held"
    NOT_HELD = "not_held"


class Phase(StrEnum):
    """The steps of a running edit, in order."""

    ADMIT = "admit"
    COLLECT = "collect"
    SELECT = "select"
    WRITE = "write"
    EVALUATE = "evaluate"
    PUBLISH = "publish"
