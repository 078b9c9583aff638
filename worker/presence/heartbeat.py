"""The thread that keeps the worker's presence and its edit's lease alive."""

import os
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from redis.exceptions import RedisError

from contract.ledger.attempts import AttemptLostError, Attempts
from contract.ledger.presence import Presence
from contract.logs import EventLog
from contract.wire.serving import MemoryOutlook
from worker.memory.monitor import Monitor, Outlook
from worker.presence.activity import Activity, CurrentAttempt
from worker.presence.identity import Identity, worker_view

BEATS_PER_LEASE = 4
TAINTED_TTL_S = 600.0
"""How long a worker with changed weights is remembered, unless its successor comes sooner."""

log = EventLog(__name__)


def exit_at_once() -> None:
    """End a process that cannot be trusted any more; its supervisor starts a fresh one."""
    os._exit(os.EX_SOFTWARE)


class Heartbeat:
    """Beats from entry to exit, whatever the main thread does meanwhile.

    `longest_s` is the time after which an edit hangs: past its limit and its grace.

    A lost beat is told and tried again. The process ends when the thread breaks, since an edit
    would then run without a lease, and when an edit hangs where no alarm can reach it.
    """

    def __init__(
        self,
        identity: Identity,
        activity: Activity,
        *,
        attempts: Attempts,
        presence: Presence,
        monitor: Monitor,
        lease_s: float,
        longest_s: float,
        give_up: Callable[[], None] = exit_at_once,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._activity = activity
        self._attempts = attempts
        self._presence = presence
        self._monitor = monitor
        self._lease_s = lease_s
        self._longest_s = longest_s
        self._give_up = give_up
        self._clock = clock
        self._monotonic = monotonic
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        try:
            if self._activity.tainted:
                self._publish(ttl_s=TAINTED_TTL_S)
            else:
                self._presence.remove_worker(self._identity.worker_id)
        except RedisError as missed:
            log.warning("presence_left_to_expire", reason=str(missed))

    def beat(self) -> None:
        """Renew the lease of the edit in work, if any, and tell how the worker is."""
        held = self._activity.current
        try:
            if held is not None:
                self._renew(held)
            self._publish(ttl_s=self._lease_s)
        except RedisError as error:
            log.warning("heartbeat_missed", reason=str(error))

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._lease_s / BEATS_PER_LEASE):
                self.beat()
                self._check_hung()
        finally:
            if not self._stopping.is_set():
                log.error("heartbeat_broke", traceback=traceback.format_exc())
                self._give_up()

    def _renew(self, held: CurrentAttempt) -> None:
        if not self._attempts.renew(held.attempt) and self._activity.current is held:
            self._activity.lose(held.attempt)
            log.warning("lease_lost", edit_id=held.attempt.edit_id, attempt=held.attempt.number)

    def _publish(self, *, ttl_s: float) -> None:
        outlook = self._monitor.look()
        view = worker_view(self._identity, self._activity, outlook, now_s=self._clock())
        self._presence.publish_worker(view, ttl_s=ttl_s)
        if outlook.changed:
            self._tell_memory(outlook)

    def _tell_memory(self, outlook: Outlook) -> None:
        """A change of the memory's state is an event of the edit in work, and of the log."""
        told = MemoryOutlook(
            state=outlook.state,
            free_bytes=outlook.reading.free_bytes,
            others_bytes=outlook.reading.others_bytes,
            budget_bytes=outlook.budget_bytes,
        )
        log.warning("memory_changed", **told.model_dump(mode="json"))
        held = self._activity.current
        if held is not None:
            with suppress(AttemptLostError):  # whoever has the edit now looks for itself
                self._attempts.tell_memory(held.attempt, told)

    def _check_hung(self) -> None:
        held = self._activity.current
        if held is not None and self._monotonic() - held.since_s > self._longest_s:
            log.error("edit_hung", edit_id=held.attempt.edit_id, attempt=held.attempt.number)
            self._note_hang(held)
            self._give_up()

    def _note_hang(self, held: CurrentAttempt) -> None:
        """Let the next attempt know, so that it ends the edit instead of hanging too."""
        try:
            self._attempts.note_hang(held.attempt)
        except (AttemptLostError, RedisError) as error:
            log.warning("hang_not_noted", reason=str(error))
