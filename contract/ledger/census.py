"""How many edits stand where, and how long the first in line has waited."""

from dataclasses import dataclass

from redis import Redis

from contract.ledger import names
from contract.wire.ids import EDIT_PREFIX, made_at_s
from contract.wire.lifecycle import EditStatus


@dataclass(frozen=True, slots=True)
class Census:
    """The edits of one model."""

    by_status: dict[EditStatus, int]
    oldest_queued_at_s: float | None
    """When the oldest edit that waits was made, in Unix seconds; None when none waits."""


def take_census(redis: Redis, model: str) -> Census:
    """Count without reading a single edit."""
    statuses = list(EditStatus)
    with redis.pipeline(transaction=False) as pipe:
        for status in statuses:
            pipe.zlexcount(names.index(model=model, status=status), f"[{EDIT_PREFIX}", "+")
        queued = names.index(model=model, status=EditStatus.QUEUED)
        pipe.zrangebylex(queued, f"[{EDIT_PREFIX}", "+", start=0, num=1)
        *counts, oldest = pipe.execute()
    made_s = made_at_s(oldest[0].decode()) if oldest else None
    return Census(dict(zip(statuses, counts, strict=True)), made_s)
