"""A worker's connections to Redis: one that waits for it, and one that gives up."""

from dataclasses import dataclass

from redis import Redis

from contract.ledger.attempts import Attempts
from contract.ledger.connection import connect
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from worker.attempt.handback import HeadOfQueue
from worker.presence.heartbeat import BEATS_PER_LEASE

PATIENT_RETRIES = 120
PATIENT_TIMEOUT_S = 15.0
"""Longer than the blocking dequeue, which RQ insists upon."""
IMPATIENT_RETRIES = 1


@dataclass(frozen=True, slots=True)
class Connection:
    """The ledger over one connection: the API's side of it, and the worker's."""

    redis: Redis
    ledger: Ledger
    attempts: Attempts

    @classmethod
    def open(cls, settings: Settings, *, retries: int, timeout_s: float) -> "Connection":
        redis = connect(settings.redis_url, retries=retries, timeout_s=timeout_s)
        ledger = Ledger(redis, job_timeout_s=settings.job_timeout_s)
        return cls(redis, ledger, Attempts(redis, lease_s=settings.lease_s))

    def head_of(self, model: str) -> HeadOfQueue:
        return HeadOfQueue(self.attempts, self.ledger.queue(model))


@dataclass(frozen=True, slots=True)
class Connections:
    """The work goes over the patient one, which outlives a restart of Redis; heartbeats and last
    words go over the impatient one, which gives up within a lease."""

    patient: Connection
    impatient: Connection

    @classmethod
    def open(cls, settings: Settings) -> "Connections":
        """Neither asks Redis for anything yet; raises `RedisUrlError`."""
        beat_s = settings.lease_s / BEATS_PER_LEASE
        return cls(
            Connection.open(settings, retries=PATIENT_RETRIES, timeout_s=PATIENT_TIMEOUT_S),
            Connection.open(settings, retries=IMPATIENT_RETRIES, timeout_s=beat_s),
        )
