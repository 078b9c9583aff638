"""The worker's process: one resident model, one queue, until told to stop."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from redis import Redis
from rq import Queue
from rq.worker_registration import clean_worker_registry

from contract.admission.calibration import Probing
from contract.ledger import names
from contract.ledger.attempts import Attempt, Attempts
from contract.ledger.connection import connect
from contract.ledger.ledger import Ledger
from contract.ledger.presence import Presence
from contract.ledger.probings import Probings
from contract.ledger.queue import EditQueue
from contract.ledger.retention import Retention
from contract.logs import EventLog
from contract.settings import Settings
from contract.store.housekeeping import Housekeeping, Policy
from contract.store.identity import pin
from contract.store.restoration import Restoration
from contract.store.store import CheckpointStore
from worker.attempt.engine import Editor, Engine
from worker.attempt.failures import Codes
from worker.attempt.handback import HeadOfQueue
from worker.attempt.limits import Limits
from worker.attempt.patience import wait
from worker.attempt.publishing import code_version
from worker.attempt.resources import Resources
from worker.attempt.time_limit import time_limit
from worker.leased_worker import LeasedWorker
from worker.memory.device import DeviceMemory
from worker.memory.probing import probe
from worker.presence import announcement
from worker.presence.activity import Activity
from worker.presence.announcement import Identity
from worker.presence.fitness import last_resort
from worker.presence.heartbeat import BEATS_PER_LEASE, Heartbeat
from worker.sweeping import Sweep
from worker.tasks import run_edit

PATIENT_RETRIES = 120
PATIENT_TIMEOUT_S = 15.0
"""Longer than the blocking dequeue, which RQ insists upon."""
IMPATIENT_RETRIES = 1
PROBES_LIMIT_S = 30
"""What all probes may take: a large model on the CPU goes without."""
LAST_RESORT_S = 10.0
"""What the heartbeat is given to end a hung process in good order."""

log = EventLog(__name__)


class ServedEditor(Editor, announcement.ServedModel, Protocol):
    """The engine with all that is told of its model."""

    @property
    def base(self) -> announcement.BaseModelFiles: ...
    def fingerprint(self) -> str: ...
    @property
    def tokenizer_json(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Connections:
    """Two connections to Redis, by how long they may try."""

    patient: Redis
    impatient: Redis

    @classmethod
    def open(cls, settings: Settings) -> "Connections":
        beat_s = settings.lease_s / BEATS_PER_LEASE
        return cls(
            patient=connect(
                settings.redis_url, retries=PATIENT_RETRIES, timeout_s=PATIENT_TIMEOUT_S
            ),
            impatient=connect(settings.redis_url, retries=IMPATIENT_RETRIES, timeout_s=beat_s),
        )


def serve(
    settings: Settings, editor: ServedEditor, *, model: str, memory: DeviceMemory, codes: Codes
) -> int:
    """Serve `editor` as `model`; returns the exit status: 0 when told to stop, 1 when broken.

    The work goes over a patient connection that outlives a restart of Redis; heartbeats and last
    words go over an impatient one that gives up within a lease.
    """
    connections = Connections.open(settings)
    ledger = _open_ledger(settings, connections)
    store = _open_store(settings, connections)
    announce = partial(_announce_model, model, editor, presence=ledger.presence, store=store)
    identity = Identity.of_this_process(model=model, device=editor.device, now_s=time.time())
    resources = _resources(settings, editor, connections, ledger, store, identity, memory, codes)
    sweep = _sweep(settings, connections, ledger, store, resources, announce)
    worker = _leased_worker(resources, connections, sweep)
    _forget_the_dead(connections.patient, ledger.presence, identity)
    worker.listen_to_signals()
    sweep.recall()
    announce()  # its weights or its place may be others than before
    with _heartbeat(settings, connections, identity, resources):
        log.info("worker_started", worker_id=identity.worker_id, model=model)
        sweep()
        if settings.probes:
            probing = _probing(resources, identity, Probings(connections.patient))
            resources.engine.monitor.calibrate(probing)
        worker.work(logging_level="WARNING")
        draining = resources.activity.draining
        log.info("worker_stopped", worker_id=identity.worker_id, draining=draining)
    return 0 if draining else 1


def _resources(
    settings: Settings,
    editor: ServedEditor,
    connections: Connections,
    ledger: Ledger,
    store: CheckpointStore,
    identity: Identity,
    memory: DeviceMemory,
    codes: Codes,
) -> Resources:
    """What the jobs of this process need."""
    activity = Activity()
    attempts = Attempts(connections.patient, lease_s=settings.lease_s)
    return Resources(
        worker_id=identity.worker_id,
        model=identity.model,
        engine=Engine.of(editor, memory, cap_bytes=settings.memory_budget_bytes, codes=codes),
        limits=Limits(
            max_attempts=settings.max_attempts,
            memory_wait_s=settings.memory_wait_s,
            deadline=partial(time_limit, settings.job_timeout_s),
            watchdog=partial(last_resort, _longest_s(settings) + LAST_RESORT_S),
        ),
        activity=activity,
        store=store,
        attempts=attempts,
        record_of=ledger.record,
        hand_back=_hand_back(settings, connections, model=identity.model),
        defer=HeadOfQueue(attempts, ledger.queue(identity.model)).defer,
        drop_connections=connections.patient.connection_pool.disconnect,
        pause=partial(wait, stopped=lambda: activity.draining),
    )


def _sweep(
    settings: Settings,
    connections: Connections,
    ledger: Ledger,
    store: CheckpointStore,
    resources: Resources,
    announce: Callable[[], None],
) -> Sweep:
    """What this process does for its model between jobs."""
    return Sweep(
        model=resources.model,
        queue=ledger.queue(resources.model),
        attempts=resources.attempts,
        record_of=ledger.record,
        store=store,
        retention=Retention(connections.patient, keep_s=settings.retention_s),
        restoration=Restoration(
            redis=connections.patient, store=store, keep_s=settings.retention_s
        ),
        is_announced=partial(ledger.presence.has_model, resources.model),
        announce=announce,
        housekeeping=_housekeeping(settings, store, ledger),
    )


def _probing(resources: Resources, identity: Identity, kept: Probings) -> Probing:
    """What was found here before, so that the edits of a worker that died do not wait for it."""
    circumstances = {
        "host": identity.host,
        "base": resources.engine.editor.base_digest,
        "version": code_version(),
        "provenance": resources.engine.editor.provenance,
    }
    found = kept.find(circumstances)
    if found is not None:
        log.info("calibration_kept", calibration=found.model_dump()["calibration"])
        return found
    found = _probed(resources)
    kept.keep(circumstances, found)
    return found


def _probed(resources: Resources) -> Probing:
    """After the first beat: the API need not wait, edits do."""
    found = probe(
        resources.engine.editor,
        budget_bytes=resources.engine.monitor.room_bytes,
        limit=partial(time_limit, PROBES_LIMIT_S, None),
        codes=resources.engine.codes,
    )
    resources.engine.monitor.release()
    resources.engine.weights.check()
    return found


def _open_ledger(settings: Settings, connections: Connections) -> Ledger:
    ledger = Ledger(connections.patient, job_timeout_s=settings.job_timeout_s)
    ledger.check_schema()
    return ledger


def _housekeeping(settings: Settings, store: CheckpointStore, ledger: Ledger) -> Housekeeping:
    policy = Policy(
        max_age_s=settings.checkpoint_max_age_s, max_count=settings.checkpoint_max_count
    )
    return Housekeeping(
        store=store,
        policy=policy,
        building=ledger.building,
        removing=ledger.removing,
        grace_s=2 * _longest_s(settings),
    )


def _open_store(settings: Settings, connections: Connections) -> CheckpointStore:
    store = CheckpointStore(settings.store, budget_bytes=settings.store_budget_bytes)
    pin(store, connections.patient)
    store.check_writable()
    return store


def _leased_worker(resources: Resources, connections: Connections, sweep: Sweep) -> LeasedWorker:
    return LeasedWorker(
        names.queue_of(resources.model),
        name=resources.worker_id,
        connection=connections.patient,
        activity=resources.activity,
        run=partial(run_edit, resources=resources),
        sweep=sweep,
    )


def _heartbeat(
    settings: Settings,
    connections: Connections,
    identity: Identity,
    resources: Resources,
) -> Heartbeat:
    return Heartbeat(
        identity,
        resources.activity,
        attempts=Attempts(connections.impatient, lease_s=settings.lease_s),
        presence=Presence(connections.impatient),
        monitor=resources.engine.monitor,
        lease_s=settings.lease_s,
        longest_s=_longest_s(settings),
    )


def _longest_s(settings: Settings) -> float:
    """An edit that takes longer hangs where no alarm can reach it."""
    return settings.job_timeout_s + settings.hang_grace_s


def _hand_back(
    settings: Settings, connections: Connections, *, model: str
) -> Callable[[Attempt], None]:
    attempts = Attempts(connections.impatient, lease_s=settings.lease_s)
    queue = EditQueue(connections.impatient, model, job_timeout_s=settings.job_timeout_s)
    return HeadOfQueue(attempts, queue).hand_back


def _announce_model(
    model: str, editor: ServedEditor, *, presence: Presence, store: CheckpointStore
) -> None:
    tokenizer = editor.tokenizer_json
    kept = store.put("tokenizer.json", tokenizer) if tokenizer is not None else None
    view = announcement.model_view(model, editor, tokenizer_sha256=kept.sha256 if kept else None)
    base = announcement.base_view(editor.base_digest, editor.base, tokenizer=kept)
    if base is not None:
        store.put_base(base)
    presence.publish_model(view)


def _forget_the_dead(redis: Redis, presence: Presence, identity: Identity) -> None:
    """Drop what killed workers left: their names, ours and RQ's, and jobs on the way."""
    presence.forget_silent()
    presence.forget_tainted(host=identity.host, model=identity.model, device=identity.device)
    queue = Queue(names.queue_of(identity.model), connection=redis)
    clean_worker_registry(queue)
    # Jobs that no worker lived to take: the sweep puts back those whose edits are not done.
    redis.delete(queue.intermediate_queue_key)
