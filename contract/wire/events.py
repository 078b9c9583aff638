"""What can happen to an edit or a composition, and what is worth a warning."""

from enum import StrEnum


class EventType(StrEnum):
    """The `type` of an event. A newer service may send others, so that clients read any text."""

    QUEUED = "queued"
    STARTED = "started"
    ADMISSION = "admission"
    PHASE = "phase"
    PROGRESS = "progress"
    MEMORY = "memory"
    HUNG = "hung"
    WORKER_LOST = "worker_lost"
    CANCELING = "canceling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


LAST_EVENTS = frozenset({EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELED})
"""No other event follows one of these."""

EVENTS: dict[EventType, str] = {
    EventType.QUEUED: "The edit was accepted, or put back in its queue; `reason` says why it was "
    "put back.",
    EventType.STARTED: "A worker began an attempt: `attempt`, `worker`.",
    EventType.ADMISSION: "The worker decided whether the edit fits its memory: `decision`, "
    "`applied`.",
    EventType.PHASE: "The edit entered a `phase`.",
    EventType.PROGRESS: "How far the phase is: `done` of `total`, counted in `unit`.",
    EventType.MEMORY: "The worker's memory became tight, or is at ease again: `state`, and its "
    "bytes.",
    EventType.HUNG: "The attempt hung past its time limit; its worker ends itself.",
    EventType.WORKER_LOST: "The worker fell silent; the edit waits for another one.",
    EventType.CANCELING: "A cancel was requested; the worker stops the edit soon.",
    EventType.SUCCEEDED: "Final: the checkpoint is published (`outcome`, `checkpoint_id`; only "
    "`restored` when it was listed again after Redis lost its data).",
    EventType.FAILED: "Final: the edit failed: `code`, `message`, `retryable`.",
    EventType.CANCELED: "Final: the edit was canceled.",
}


class WarningCode(StrEnum):
    """The `code` of a warning. A newer service may send others, so that clients read any text."""

    GROUND_TRUTH_DIFFERS = "ground_truth_differs"
    TARGET_ALREADY_HELD = "target_already_held"
    SUBJECT_NOT_IN_PROMPT = "subject_not_in_prompt"
    ATTRIBUTION_INCOMPLETE = "attribution_incomplete"


WARNINGS: dict[WarningCode, str] = {
    WarningCode.GROUND_TRUTH_DIFFERS: "The unedited model does not answer with `ground_truth`.",
    WarningCode.TARGET_ALREADY_HELD: "The unedited model already answers with `target_new`.",
    WarningCode.SUBJECT_NOT_IN_PROMPT: "`subject` does not occur in `prompt`.",
    WarningCode.ATTRIBUTION_INCOMPLETE: "Attributions do not add up to the change in probability; "
    "more `steps`, or another `quadrature`, may select other neurons.",
}
