"""What the routes work with, made once and handed to each of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Annotated

from fastapi import Depends, Request

from app.guards.traffic import Traffic
from app.jobs.tokens import TokenCounters
from app.readiness import Readiness
from app.store_probe import FRESH_S
from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger
from contract.store.store import CheckpointStore
from contract.wire.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often those who wait for an edit look again, and how long what was found of the store is
    fresh; `clock` is monotonic."""

    poll_s: float = 0.2
    heartbeat_s: float = 10.0
    store_fresh_s: float = FRESH_S
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The ledger, the store, and what goes with them; `stopping` ends those who wait."""

    ledger: Ledger
    attempts: Attempts
    store: CheckpointStore
    tokens: TokenCounters
    readiness: Readiness
    limits: Limits
    pace: Pace = field(default_factory=Pace)
    stopping: Event = field(default_factory=Event)
    traffic: Traffic = field(default_factory=Traffic)


async def _service_of(request: Request) -> Service:
    # Waits for nothing, but a plain function would be run in a thread, for each request.
    service = request.app.state.service
    assert isinstance(service, Service)
    return service


ServiceDependency = Annotated[Service, Depends(_service_of)]
