"""What a worker's process consists of."""

import time
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from contract.ledger import names
from contract.ledger.retention import Retention
from contract.settings import Settings
from contract.store.housekeeping import Housekeeping, Policy
from contract.store.identity import pin
from contract.store.restoration import Restoration
from contract.store.store import CheckpointStore
from worker.attempt.engine import Editor, Engine
from worker.attempt.failures import Codes
from worker.attempt.limits import Limits
from worker.attempt.patience import wait
from worker.attempt.resources import Resources
from worker.attempt.time_limit import time_limit
from worker.connections import Connections
from worker.leased_worker import LeasedWorker
from worker.memory.device import DeviceMemory
from worker.presence.activity import Activity
from worker.presence.announcement import Announcement, ServedModel
from worker.presence.fitness import last_resort
from worker.presence.heartbeat import Heartbeat
from worker.presence.identity import Identity
from worker.sweeping import Sweep
from worker.tasks import run_edit

LAST_RESORT_S = 10.0
"""What the heartbeat is given to end a hung process in good order."""


class ServedEditor(Editor, ServedModel, Protocol):
    """The engine with all that is told of its model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A model, who serves it and with what; and what is put together of these."""

    settings: Settings
    identity: Identity
    connections: Connections
    store: CheckpointStore
    engine: Engine
    announce: Announcement
    activity: Activity = field(default_factory=Activity)

    @classmethod
    def open(
        cls,
        settings: Settings,
        editor: ServedEditor,
        *,
        model: str,
        memory: DeviceMemory,
        codes: Codes,
    ) -> "Process":
        """Waits for Redis; raises `SchemaMismatchError`, `StoreUnavailableError`."""
        connections = Connections.open(settings)
        ledger = connections.patient.ledger
        ledger.check_schema()
        store = CheckpointStore(settings.store, budget_bytes=settings.store_budget_bytes)
        pin(store, connections.patient.redis)
        store.check_writable()
        return cls(
            settings=settings,
            identity=Identity.of_this_process(model=model, device=editor.device, now_s=time.time()),
            connections=connections,
            store=store,
            engine=Engine.of(editor, memory, cap_bytes=settings.memory_budget_bytes, codes=codes),
            announce=Announcement(name=model, model=editor, presence=ledger.presence, store=store),
        )

    def sweep(self) -> Sweep:
        """What is put in order between edits."""
        patient, model = self.connections.patient, self.identity.model
        keep_s = self.settings.retention_s
        return Sweep(
            model=model,
            queue=patient.ledger.queue(model),
            attempts=patient.attempts,
            record_of=patient.ledger.record,
            store=self.store,
            retention=Retention(patient.redis, keep_s=keep_s),
            restoration=Restoration(redis=patient.redis, store=self.store, keep_s=keep_s),
            is_announced=partial(patient.ledger.presence.has_model, model),
            announce=self.announce,
            housekeeping=self._housekeeping(),
        )

    def worker(self, sweep: Sweep) -> LeasedWorker:
        """The loop that takes edits from the model's queue."""
        return LeasedWorker(
            names.queue_of(self.identity.model),
            name=self.identity.worker_id,
            connection=self.connections.patient.redis,
            activity=self.activity,
            run=partial(run_edit, resources=self._resources()),
            sweep=sweep,
        )

    def heartbeat(self) -> Heartbeat:
        """The thread that tells that the process lives."""
        impatient = self.connections.impatient
        return Heartbeat(
            self.identity,
            self.activity,
            attempts=impatient.attempts,
            presence=impatient.ledger.presence,
            monitor=self.engine.monitor,
            lease_s=self.settings.lease_s,
            longest_s=self.settings.hung_after_s,
        )

    def _resources(self) -> Resources:
        patient, impatient = self.connections.patient, self.connections.impatient
        model = self.identity.model
        return Resources(
            worker_id=self.identity.worker_id,
            model=model,
            engine=self.engine,
            limits=self._limits(),
            activity=self.activity,
            store=self.store,
            attempts=patient.attempts,
            record_of=patient.ledger.record,
            hand_back=impatient.head_of(model).hand_back,
            defer=patient.head_of(model).defer,
            drop_connections=patient.redis.connection_pool.disconnect,
            pause=partial(wait, stopped=lambda: self.activity.draining),
        )

    def _limits(self) -> Limits:
        return Limits(
            max_attempts=self.settings.max_attempts,
            memory_wait_s=self.settings.memory_wait_s,
            deadline=partial(time_limit, self.settings.job_timeout_s),
            watchdog=partial(last_resort, self.settings.hung_after_s + LAST_RESORT_S),
        )

    def _housekeeping(self) -> Housekeeping:
        ledger, settings = self.connections.patient.ledger, self.settings
        return Housekeeping(
            store=self.store,
            policy=Policy(
                max_age_s=settings.checkpoint_max_age_s, max_count=settings.checkpoint_max_count
            ),
            building=ledger.building,
            removing=ledger.removing,
            grace_s=2 * settings.hung_after_s,
        )
