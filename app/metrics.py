"""What is told to Prometheus: read from Redis when it asks, so that every API tells the same.

Counts of requests alone are of the one process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.exposition import Family, Kind, Labels, labels
from app.readiness import Check
from app.service import Service
from contract.ledger.census import Census, take_census
from contract.ledger.tally import (
    LATEST,
    Buckets,
    Edited,
    Quantity,
    Taken,
    read_latest,
    read_tally,
    values_of,
)
from contract.wire.serving import MemoryState, WorkerView


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything that is told, as it was read."""

    checks: Sequence[Check]
    requests: Mapping[Labels, float]
    request_seconds: Mapping[Labels, float]
    censuses: Mapping[str, Census] = field(default_factory=dict)
    tally: Mapping[Quantity, Mapping[Edited, Buckets]] = field(default_factory=dict)
    latest: Sequence[Taken] = ()
    workers: Sequence[WorkerView] = ()


def read(service: Service) -> Figures:
    """What is well, and the requests, in any case; of edits and workers what Redis tells, while it
    answers."""
    checks = service.readiness.checks()
    own = Figures(
        checks=checks, requests=service.traffic.requests, request_seconds=service.traffic.seconds
    )
    ledger = service.ledger
    # One that refuses writes can be read: the schema was.
    if not any(check.ok for check in checks if check.name in ("redis", "schema")):
        return own
    models = [model.name for model in ledger.presence.models()]
    return replace(
        own,
        censuses={model: take_census(ledger.redis, model) for model in models},
        tally=read_tally(ledger.redis),
        latest=read_latest(ledger.redis),
        workers=ledger.presence.workers(),
    )


def families(figures: Figures, *, now_s: float) -> list[Family]:
    """The figures under their names."""
    return [
        *_of_edits(figures.censuses, now_s),
        *_of_workers(figures.workers),
        *_of_tally(figures.tally),
        *_of_latest(figures.latest),
        _gauge(
            "palimpsest_ready",
            "1 when a readiness check passes, by check.",
            {labels(check=check.name): float(check.ok) for check in figures.checks},
        ),
        Family(
            "palimpsest_http_requests_total",
            Kind.COUNTER,
            "Requests answered by this process.",
            figures.requests,
        ),
        Family(
            "palimpsest_http_request_seconds_total",
            Kind.COUNTER,
            "Seconds spent on these requests, long polls included.",
            figures.request_seconds,
        ),
    ]


def _of_edits(censuses: Mapping[str, Census], now_s: float) -> list[Family]:
    counts = {
        labels(model=model, status=status.value): float(n)
        for model, census in censuses.items()
        for status, n in census.by_status.items()
    }
    waits = {
        labels(model=model): max(now_s - census.oldest_queued_at_s, 0.0)
        if census.oldest_queued_at_s is not None
        else 0.0
        for model, census in censuses.items()
    }
    return [
        _gauge("palimpsest_edits", "Edits in the ledger, by status.", counts),
        _gauge(
            "palimpsest_oldest_queued_seconds",
            "Age of the oldest queued edit in seconds; 0 when none waits.",
            waits,
        ),
    ]


def _of_workers(workers: Sequence[WorkerView]) -> list[Family]:
    alive: dict[Labels, float] = {}
    for worker in workers:
        named = labels(model=worker.model, state=worker.state.value)
        alive[named] = alive.get(named, 0.0) + 1

    def each(name: str, meaning: str, values: Sequence[float | None]) -> Family:
        told = {
            labels(model=worker.model, worker=worker.id): float(value)
            for worker, value in zip(workers, values, strict=True)
            if value is not None
        }
        kind = Kind.COUNTER if name.endswith("_total") else Kind.GAUGE
        return Family(f"palimpsest_worker_{name}", kind, meaning, told)

    return [
        _gauge("palimpsest_workers", "Live workers, by state.", alive),
        each("free_bytes", "Free memory of the worker's device.", [w.free_bytes for w in workers]),
        each(
            "total_bytes", "Total memory of the worker's device.", [w.total_bytes for w in workers]
        ),
        each(
            "budget_bytes",
            "Memory that one edit may take above the weights.",
            [w.budget_bytes for w in workers],
        ),
        each(
            "others_bytes",
            "Memory of the device that other processes take.",
            [w.others_bytes for w in workers],
        ),
        each(
            "memory_tight",
            "1 while other processes leave less than half of what an edit could take.",
            [float(w.memory_state is MemoryState.TIGHT) for w in workers],
        ),
        each("edits_total", "Edits that the worker has ended.", [w.edits_done for w in workers]),
        each(
            "mean_edit_seconds",
            "Moving average of the seconds an edit takes.",
            [w.mean_edit_s for w in workers],
        ),
    ]


def _of_tally(tally: Mapping[Quantity, Mapping[Edited, Buckets]]) -> list[Family]:
    """All edits that ended with a result, by method."""
    meanings = {
        Quantity.PREDICTED_BYTES: "Predicted peak memory of ended edits, above the weights.",
        Quantity.OBSERVED_BYTES: "Observed peak memory of ended edits, above the weights.",
        Quantity.RATIO: "Observed peak divided by predicted peak, of ended edits.",
    }
    return [
        Family(
            f"palimpsest_memory_{quantity}",
            Kind.HISTOGRAM,
            meaning,
            {
                labels(**edited._asdict()): found
                for edited, found in tally.get(quantity, {}).items()
            },
        )
        for quantity, meaning in meanings.items()
    ]


def _of_latest(latest: Sequence[Taken]) -> list[Family]:
    """Edit by edit: the predicted peak, the observed one, and their ratio."""

    def each(quantity: Quantity, what: str) -> Family:
        told = {
            labels(**taken.edited._asdict(), edit=taken.edit_id): found
            for taken in latest
            if (found := values_of(taken.memory).get(quantity)) is not None
        }
        return _gauge(
            f"palimpsest_edit_{quantity}", f"{what}, of each of the latest {LATEST} edits.", told
        )

    return [
        each(Quantity.PREDICTED_BYTES, "Predicted peak"),
        each(Quantity.OBSERVED_BYTES, "Observed peak"),
        each(Quantity.RATIO, "Observed peak divided by predicted peak"),
    ]


def _gauge(name: str, meaning: str, samples: Mapping[Labels, float]) -> Family:
    return Family(name, Kind.GAUGE, meaning, samples)
