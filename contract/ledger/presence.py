"""Who is there: the models that are served and the workers that serve them."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from redis import Redis

from contract.ledger import names
from contract.ledger.record import places_of
from contract.logs import EventLog
from contract.wire.serving import ModelView, WorkerView

View = TypeVar("View", bound=BaseModel)
log = EventLog("contract.ledger")
OVERDUE = 5
"""So many times older than fresh, nothing that was read counts any more."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All models that were ever published and all live workers, both by name, at one time."""

    models: tuple[ModelView, ...]
    workers: tuple[WorkerView, ...]
    read_s: float


class Presence:
    """Models stay known after their workers are gone; workers fade when they fall silent.

    What was read `fresh_s` seconds ago still counts, for those who ask many times a second.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        fresh_s: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._fresh_s = fresh_s
        self._monotonic = monotonic
        self._latest: Snapshot | None = None
        self._reading = threading.Lock()

    def publish_model(self, model: ModelView) -> None:
        self._redis.hset(names.MODELS, model.name, model.model_dump_json())

    def has_model(self, name: str) -> bool:
        """Whether such a model was published."""
        return bool(self._redis.hexists(names.MODELS, name))

    def publish_worker(self, worker: WorkerView, *, ttl_s: float) -> None:
        """Tell of a live worker; it is forgotten after `ttl_s` seconds of silence."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.sadd(names.WORKERS, worker.id)
            pipe.set(names.worker(worker.id), worker.model_dump_json(), px=int(ttl_s * 1000))
            pipe.execute()

    def remove_worker(self, worker_id: str) -> None:
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.srem(names.WORKERS, worker_id)
            pipe.delete(names.worker(worker_id))
            pipe.execute()

    def survey(self) -> Snapshot:
        """Who is there. One of many that ask at once reads, and the others take what was read last
        unless it is `OVERDUE` times as old, so that none of them waits for a Redis that hangs
        longer than for its own command."""
        latest = self._latest
        if latest is not None and self._is_within(self._fresh_s, latest):
            return latest
        if not self._reading.acquire(blocking=False):
            if latest is not None and self._is_within(OVERDUE * self._fresh_s, latest):
                return latest
            return self._read()
        try:
            self._latest = self._read()
            return self._latest
        finally:
            self._reading.release()

    def workers(self) -> tuple[WorkerView, ...]:
        """The live workers, by id; silent ones are skipped, and stay listed until removed."""
        return self.survey().workers

    def models(self) -> tuple[ModelView, ...]:
        """Every model ever published, by name, with its live workers and queued edits."""
        return self.survey().models

    def _is_within(self, age_s: float, survey: Snapshot) -> bool:
        return self._monotonic() - survey.read_s < age_s

    def _read(self) -> Snapshot:
        read_s = self._monotonic()
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.smembers(names.WORKERS)
            pipe.hgetall(names.MODELS)
            ids, known = pipe.execute()
        models = _readable(ModelView, [raw for _, raw in sorted(known.items())])
        with self._redis.pipeline(transaction=False) as pipe:
            for raw in sorted(ids):
                pipe.get(names.worker(raw.decode()))
            for model in models:
                pipe.zcard(names.index(model=model.name, status="queued"))
            found = pipe.execute()
        workers = _readable(WorkerView, [raw for raw in found[: len(ids)] if raw is not None])
        queued = zip(models, found[len(ids) :], strict=True)
        return Snapshot(
            models=tuple(_counted(model, workers, n_queued) for model, n_queued in queued),
            workers=tuple(workers),
            read_s=read_s,
        )

    def forget_silent(self) -> None:
        """Drop the names of workers that fell silent."""
        for raw in self._redis.smembers(names.WORKERS):
            if not self._redis.exists(names.worker(raw.decode())):
                self._redis.srem(names.WORKERS, raw)

    def forget_tainted(self, *, host: str, model: str, device: str) -> None:
        """Drop the workers there that found their weights changed: they have been replaced."""
        for worker in self.workers():
            place = (worker.host, worker.model, worker.device)
            if not worker.is_fit and place == (host, model, device):
                self.remove_worker(worker.id)


def _readable(kind: type[View], told: Iterable[bytes]) -> list[View]:
    """What each told of himself, but for those whom this version does not understand; what a later
    version tells besides is passed over."""
    found = []
    for raw in told:
        try:
            found.append(kind.model_validate_json(raw, extra="ignore"))
        except ValidationError as error:
            log.warning("presence_not_read", kind=kind.__name__, reason=places_of(error))
    return found


def _counted(model: ModelView, workers: Sequence[WorkerView], n_queued: int) -> ModelView:
    n_workers = sum(worker.serves(model.name) for worker in workers)
    return model.model_copy(update={"workers": n_workers, "queued": n_queued})
