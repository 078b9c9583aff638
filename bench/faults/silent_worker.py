"""Faults in which the only worker is stopped: what has to end, ends without it."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.faults.injection import Aftermath, Injection
from bench.service.running import REQUEST, RunningService
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView

HURRIED = REQUEST.model_copy(update={"deadline_s": 3})
AFTERWARDS_S = 3.0
"""Time for whatever the woken worker still does."""


def deadlines_passed(injection: Injection) -> Aftermath:
    """Let the deadlines of a running and a queued edit pass while the worker is stopped."""
    service = injection.service
    service.order("write")
    edit_ids = [service.client.edits.create(HURRIED).id for _ in range(2)]
    assert service.reached()
    with _asleep(service):
        views = [service.ended(edit_id) for edit_id in edit_ids]
    again = [service.ended(edit_id) for edit_id in edit_ids]
    late = [str(v.error.code) for v in views if v is not None and v.error is not None]
    return Aftermath(
        edit_ids=[service.submit()],
        since_s=time.monotonic(),
        as_promised=late == [ErrorCode.DEADLINE_EXCEEDED] * 2 and _as_before(views, again),
        note=f"ended meanwhile: {late}",
    )


def canceled_while_stopped(injection: Injection) -> Aftermath:
    """Cancel a running edit just after its worker was stopped."""
    service = injection.service
    edit_id = injection.stopped_at("write")
    with _asleep(service):
        view, took_s = service.cancel(edit_id)
    done = view is not None and view.status is EditStatus.CANCELED
    return Aftermath(
        edit_ids=[service.submit()],
        since_s=time.monotonic(),
        as_promised=done and _as_before([view], [service.ended(edit_id)]),
        note=f"canceled meanwhile: {done}, after {took_s:.1f} s",
    )


@contextmanager
def _asleep(service: RunningService) -> Iterator[None]:
    """The worker is stopped within the block, and goes on afterwards."""
    service.signal("worker", signal.SIGSTOP)
    try:
        yield
    finally:
        service.signal("worker", signal.SIGCONT)
        service.let_go()
        time.sleep(AFTERWARDS_S)


def _as_before(views: list[EditView | None], again: list[EditView | None]) -> bool:
    return [v and v.model_dump() for v in views] == [v and v.model_dump() for v in again]
