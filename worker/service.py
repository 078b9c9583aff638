"""The life of a worker's process: one resident model, one queue, until told to stop."""

from contract.ledger.probings import Probings
from contract.logs import EventLog
from contract.settings import Settings
from worker.attempt.failures import Codes
from worker.memory.calibrating import calibrate
from worker.memory.device import DeviceMemory
from worker.presence.predecessors import forget_predecessors
from worker.process import Process, ServedEditor

log = EventLog(__name__)


def serve(
    settings: Settings, editor: ServedEditor, *, model: str, memory: DeviceMemory, codes: Codes
) -> int:
    """Serve `editor` as `model`; returns the exit status: 0 when told to stop, 1 when broken."""
    process = Process.open(settings, editor, model=model, memory=memory, codes=codes)
    identity, redis = process.identity, process.connections.patient.redis
    sweep = process.sweep()
    worker = process.worker(sweep)
    forget_predecessors(identity, redis)
    worker.listen_to_signals()
    sweep.recall()
    process.announce()  # its weights or its place may be others than before
    with process.heartbeat():
        log.info("worker_started", worker_id=identity.worker_id, model=model)
        sweep()
        if settings.probes:  # after the first beat: the API need not wait, edits do
            calibrate(process.engine, host=identity.host, kept=Probings(redis))
        worker.work(logging_level="WARNING")
        draining = process.activity.draining
        log.info("worker_stopped", worker_id=identity.worker_id, draining=draining)
    return 0 if draining else 1
