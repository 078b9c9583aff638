"""Those who wait: when they are let go."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from app.jobs.tokens import TokenCounters
from app.jobs.watching import feed, until_final
from app.readiness import Readiness
from app.service import Pace, Service
from app.store_probe import StoreProbe
from contract.ledger.attempts import Attempts
from contract.ledger.connection import connect
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.store.store import CheckpointStore
from contract.wire.limits import Limits
from contract.wire.serving import ModelView


class Visitor:
    """Stays for a number of looks, then leaves."""

    def __init__(self, *, stays_for: int) -> None:
        self.looks = 0
        self._stays_for = stays_for

    async def is_gone(self) -> bool:
        self.looks += 1
        return self.looks > self._stays_for


class SteppingClock:
    """Moves a second at each look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def service_over(ledger: Ledger, data_dir: Path) -> Service:
    store = CheckpointStore(data_dir)
    return Service(
        ledger=ledger,
        attempts=Attempts(ledger.redis, lease_s=6.0),
        store=store,
        tokens=TokenCounters(store),
        readiness=Readiness(ledger, StoreProbe(check=store.check_writable)),
        limits=Limits.of(Settings()),
        pace=Pace(poll_s=0.001, heartbeat_s=4.0, clock=SteppingClock()),
    )


@pytest.fixture
def service(ledger: Ledger, tmp_path: Path) -> Service:
    return service_over(ledger, tmp_path)


@pytest.fixture
def edit_id(api: httpx.Client, served: ModelView, fact: dict[str, Any]) -> str:
    return str(api.post("/edits", json=fact).json()["id"])


def lines_of(service: Service, edit_id: str, visitor: Visitor) -> list[bytes]:
    async def collect() -> list[bytes]:
        told = feed(service, edit_id, after="0", is_gone=visitor.is_gone)
        return [line async for line in told]

    return asyncio.run(collect())


def test_a_poll_ends_when_the_caller_leaves(service: Service, edit_id: str) -> None:
    visitor = Visitor(stays_for=2)

    asyncio.run(until_final(service, edit_id, wait_s=1e9, is_gone=visitor.is_gone))

    assert visitor.looks == 3


def test_a_poll_ends_when_time_is_up(service: Service, edit_id: str) -> None:
    visitor = Visitor(stays_for=100)

    asyncio.run(until_final(service, edit_id, wait_s=3.0, is_gone=visitor.is_gone))

    assert visitor.looks == 2  # at 2 s and 3 s of a clock that began at 1 s


def test_a_poll_ends_when_the_server_stops(service: Service, edit_id: str) -> None:
    visitor = Visitor(stays_for=100)
    service.stopping.set()

    asyncio.run(until_final(service, edit_id, wait_s=1e9, is_gone=visitor.is_gone))

    assert visitor.looks == 0


def test_a_feed_ends_when_the_caller_leaves(service: Service, edit_id: str) -> None:
    visitor = Visitor(stays_for=3)

    lines = lines_of(service, edit_id, visitor)

    assert visitor.looks == 4
    assert lines[0] == b"retry: 1000\n\n"
    assert b"event: queued" in lines[1]


def test_a_feed_has_heartbeats_between_events(service: Service, edit_id: str) -> None:
    lines = lines_of(service, edit_id, Visitor(stays_for=12))

    assert lines[2:] == [b": still waiting\n\n"] * 3


def test_a_feed_ends_when_the_edit_is_forgotten(
    service: Service, edit_id: str, redis: Redis
) -> None:
    redis.flushall()

    assert lines_of(service, edit_id, Visitor(stays_for=100)) == [b"retry: 1000\n\n"]


def test_a_feed_ends_when_redis_is_gone(tmp_path: Path) -> None:
    lost = Ledger(connect(f"unix://{tmp_path}/nothing.sock", retries=0, timeout_s=1.0))
    service = service_over(lost, tmp_path)

    lines = lines_of(service, "edit-" + "0" * 28, Visitor(stays_for=100))

    assert lines == [b"retry: 1000\n\n"]
