"""The RQ worker that keeps its model, and leaves the care for lost jobs to the ledger.

An RQ job is only the way by which an edit's id travels. Who works on what is told by the ledger
and its leases, so of RQ's worker this one keeps the loop and the blocking dequeue, and neither
its registries nor its maintenance, which would find a lost job after minutes and call it failed.
"""

import signal
import time
from collections.abc import Callable
from types import FrameType

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import DeserializationError, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer

from contract.ledger import names
from contract.logs import EventLog
from worker.presence.activity import Activity

SWEEP_EVERY_S = 1.0
DEQUEUE_S = 1
WORKER_TTL_S = 20
SAME_SIGNAL_S = 1.0
"""Two signals so close are one: a terminal and a supervisor both pass on a Ctrl-C."""

log = EventLog(__name__)


# The worker must not fork: a CUDA context does not survive it.
class LeasedWorker(SimpleWorker):  # type: ignore[misc]  # rq is not followed by mypy
    """Takes edit ids from one queue and runs each; sweeps before, between and while idle.

    The sweep runs in the loop itself, which the dequeue gives back every second: a thread of its
    own would sweep during an edit too, for a worker that could take nothing it found.
    """

    def __init__(
        self,
        queue: str,
        *,
        name: str,
        connection: Redis,
        activity: Activity,
        run: Callable[[str], None],
        sweep: Callable[[], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            [queue],
            name=name,
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=WORKER_TTL_S,
            log_job_description=False,
        )
        self._activity = activity
        self._run = run
        self._sweep = sweep
        self._monotonic = monotonic
        self._swept_s = float("-inf")
        self._told_to_stop_s = float("-inf")

    def listen_to_signals(self) -> None:
        """Drain at a signal from now on, and not only once the loop runs."""
        self._install_signal_handlers()

    @property
    def dequeue_timeout(self) -> int:
        """Whole seconds after which an idle dequeue returns."""
        return DEQUEUE_S

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """RQ asks between jobs and after each idle dequeue."""
        return self._stop_requested or self._monotonic() - self._swept_s >= SWEEP_EVERY_S

    def run_maintenance_tasks(self) -> None:
        """Sweep, in place of RQ's maintenance; or leave the loop when told to."""
        if self._stop_requested:
            raise StopRequested
        self._sweep()
        self._swept_s = self._monotonic()

    def subscribe(self) -> None:
        """Listen to no commands: RQ's stop and kill do nothing to a worker without children."""

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run the edit that the job names; refuse any other job, importing nothing."""
        if self._stop_requested:
            self._return(job, queue)
        elif _is_edit(job):
            self._take(job, queue)
            self._run_edit(job.id)
        else:
            self._take(job, queue)
            log.error("foreign_job_refused", job_id=job.id, queue=queue.name)

    def _run_edit(self, edit_id: str) -> None:
        try:
            self._run(edit_id)
        except RedisError as error:
            log.error("edit_left_to_the_sweep", edit_id=edit_id, reason=str(error))

    def _take(self, job: Job, queue: Queue) -> None:
        """Forget the job: from here on the ledger alone knows that its edit is not done."""
        with self.connection.pipeline(transaction=True) as pipe:
            pipe.lrem(queue.intermediate_queue_key, 0, job.id)
            pipe.delete(job.key)
            pipe.execute()

    def _return(self, job: Job, queue: Queue) -> None:
        """Put a job that came too late for this worker back to the head of its queue."""
        with self.connection.pipeline(transaction=True) as pipe:
            pipe.lrem(queue.intermediate_queue_key, 0, job.id)
            pipe.lpush(queue.key, job.id)
            pipe.execute()

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Drain at the first signal: the edit in work is finished, no other is begun.

        Only notes it, and neither logs nor raises, since it may have interrupted anything.
        """
        self._told_to_stop_s = self._monotonic()
        self._stop_requested = True
        self._activity.drain()
        signal.signal(signal.SIGINT, self.request_force_stop)
        signal.signal(signal.SIGTERM, self.request_force_stop)

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """Exit at the second signal: raises `SystemExit`, on which an edit is handed back."""
        if self._monotonic() - self._told_to_stop_s < SAME_SIGNAL_S:
            return
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise SystemExit(1)


def _is_edit(job: Job) -> bool:
    try:
        return bool(job.func_name == names.TASK)
    except DeserializationError:
        return False
