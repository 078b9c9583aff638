"""The service's limits and retention times, so that a client need not learn them from a refusal."""

from typing import Self

from pydantic import Field

from contract.settings import Settings
from contract.wire.composition import MAX_EDITS
from contract.wire.edits import (
    MAX_ANSWER_CHARS,
    MAX_METADATA_CHARS,
    MAX_METADATA_LEVELS,
    MAX_NEURONS,
    MAX_PROBES,
    MAX_PROMPT_CHARS,
    MAX_PROMPTS,
    MAX_STEPS,
)
from contract.wire.frozen import Frozen

MAX_PAGE = 200
MAX_WAIT_S = 60


class RequestLimits(Frozen):
    """Limits of one request; `POST /edits:estimate` says what fits a model."""

    body_bytes: int = Field(description="Bytes in the whole body.")
    prompt_chars: int = Field(
        default=MAX_PROMPT_CHARS, description="Characters in a prompt or a subject."
    )
    answer_chars: int = Field(default=MAX_ANSWER_CHARS, description="Characters in an answer.")
    prompts: int = Field(
        default=MAX_PROMPTS,
        description="Prompts in each of `refine_prompts`, `protect_prompts`, `rephrase_prompts`.",
    )
    probes: int = Field(
        default=MAX_PROBES, description="Probes in each of `locality`, `portability`."
    )
    steps: int = Field(default=MAX_STEPS, description="Points on the integration path.")
    neurons: int = Field(default=MAX_NEURONS, description="Largest `max_neurons`.")
    metadata_chars: int = Field(default=MAX_METADATA_CHARS, description="Characters in `metadata`.")
    metadata_levels: int = Field(
        default=MAX_METADATA_LEVELS, description="Levels of nesting in `metadata`."
    )
    composed_edits: int = Field(default=MAX_EDITS, description="Edits in one composition.")
    page_items: int = Field(default=MAX_PAGE, description="Items on a page of a list.")
    wait_s: int = Field(default=MAX_WAIT_S, description="Longest `wait`, in seconds.")


class ServiceLimits(Frozen):
    """Limits of the service, from its settings; null means no limit."""

    queued: int = Field(description="Edits of one model that may wait in its queue.")
    attempts: int = Field(description="Attempts before an edit is given up.")
    attempt_s: int = Field(description="Longest time for one attempt, in seconds.")
    memory_wait_s: float = Field(description="How long an edit may wait for memory, in seconds.")
    idempotency_s: int = Field(
        description="How long an `Idempotency-Key` is remembered, in seconds."
    )
    retention_s: int = Field(description="How long an ended edit is kept, in seconds.")
    store_bytes: int | None = Field(description="Bytes that all checkpoints may take.")
    checkpoint_age_s: int | None = Field(description="How long a checkpoint is kept, in seconds.")
    checkpoint_count: int | None = Field(description="How many checkpoints are kept.")


class Limits(Frozen):
    """What may be asked for, and how long it is kept."""

    request: RequestLimits = Field(description="Limits of one request.")
    service: ServiceLimits = Field(description="Limits of the service, from its settings.")

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a service with these settings."""
        return cls(
            request=RequestLimits(body_bytes=settings.max_body_bytes),
            service=ServiceLimits(
                queued=settings.max_queued,
                attempts=settings.max_attempts,
                attempt_s=settings.job_timeout_s,
                memory_wait_s=settings.memory_wait_s,
                idempotency_s=settings.idempotency_ttl_s,
                retention_s=settings.retention_s,
                store_bytes=settings.store_budget_bytes,
                checkpoint_age_s=settings.checkpoint_max_age_s,
                checkpoint_count=settings.checkpoint_max_count,
            ),
        )
