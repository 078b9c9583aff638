"""How much may be asked for, and how long things are kept: what a client would else find out by
being refused."""

from typing import Self

from pydantic import Field

from contract.settings import Settings
from contract.wire.composition import MOST_EDITS
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
    """Of one request. What fits a model's memory and positions, `POST /edits:estimate` tells."""

    body_bytes: int = Field(description="Of the whole body.")
    prompt_chars: int = Field(default=MAX_PROMPT_CHARS, description="Of a prompt or a subject.")
    answer_chars: int = Field(default=MAX_ANSWER_CHARS, description="Of an answer.")
    prompts: int = Field(
        default=MAX_PROMPTS, description="Of each kind: to refine by, to protect, to measure by."
    )
    probes: int = Field(
        default=MAX_PROBES, description="Of each kind of question that is only measured."
    )
    steps: int = Field(default=MAX_STEPS, description="Points on the integration path.")
    neurons: int = Field(default=MAX_NEURONS, description="Of `max_neurons`.")
    metadata_chars: int = Field(default=MAX_METADATA_CHARS, description="Of `metadata`.")
    metadata_levels: int = Field(
        default=MAX_METADATA_LEVELS, description="How deep `metadata` may be nested."
    )
    composed_edits: int = Field(default=MOST_EDITS, description="Edits in one composition.")
    page_items: int = Field(default=MAX_PAGE, description="Items on a page of a list.")
    wait_s: int = Field(default=MAX_WAIT_S, description="The longest `wait`.")


class ServiceLimits(Frozen):
    """Of the service, as it was set up; null is without a bound."""

    queued: int = Field(description="Edits of one model that may wait in line.")
    attempts: int = Field(description="Times that an edit is begun before it is given up.")
    attempt_s: int = Field(description="The longest that one attempt may take.")
    memory_wait_s: float = Field(description="How long an edit may wait for memory.")
    idempotency_s: int = Field(description="How long an `Idempotency-Key` is remembered.")
    retention_s: int = Field(description="How long an edit that has ended is kept.")
    store_bytes: int | None = Field(description="What all checkpoints may take.")
    checkpoint_age_s: int | None = Field(description="How long a checkpoint is kept.")
    checkpoint_count: int | None = Field(description="How many checkpoints are kept.")


class Limits(Frozen):
    """What may be asked for, and how long it is kept."""

    request: RequestLimits = Field(description="Of one request.")
    service: ServiceLimits = Field(description="Of the service, as it was set up.")

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
