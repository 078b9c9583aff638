"""What a worker puts in order between its edits."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from contract.attempts import Attempts
from contract.queue import EditQueue
from contract.record import EditRecord
from contract.retention import Retention
from contract.settling import Withholding, expire, settle
from worker.logs import EventLog

log = EventLog(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Edits whose worker or job was lost go back in line; those that are to end, end; old ones are
    forgotten."""

    model: str
    queue: EditQueue
    attempts: Attempts
    record_of: Callable[[str], EditRecord | None]
    store: Withholding
    retention: Retention
    clock: Callable[[], float] = time.time

    def __call__(self) -> None:
        for edit_id in self.attempts.requeue_stranded(self.model, self.queue):
            log.warning("edit_swept", edit_id=edit_id)
        for edit_id in self.attempts.canceling(self.model):
            self._end(settle, edit_id)
        for edit_id in self.attempts.overdue(self.clock()):
            self._end(expire, edit_id)
        if n_forgotten := self.retention.forget_old():
            log.info("edits_forgotten", n=n_forgotten)

    def _end(self, how: Callable[..., None], edit_id: str) -> None:
        try:
            how(edit_id, attempts=self.attempts, record_of=self.record_of, store=self.store)
        except OSError as error:  # the store cannot tell now who was first
            log.warning("edit_not_ended", edit_id=edit_id, reason=error.strerror)
