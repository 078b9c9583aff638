"""Deeds for which the only worker falls silent: what has to end, ends without it."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.house import REQUEST, House
from bench.injection import Injection, Struck
from contract.wire.failures import ErrorCode
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView

HURRIED = REQUEST.model_copy(update={"deadline_s": 3})
AFTERWARDS_S = 3.0
"""What the sleeper still does when it wakes, it does within this time."""


def deadline_passed(injection: Injection) -> Struck:
    """Of one edit in work and of one that waits, while the worker is stopped."""
    site = injection.site
    site.order("write")
    edit_ids = [site.client.edits.create(HURRIED).id for _ in range(2)]
    assert site.reached()
    with _asleep(site):
        views = [site.ended(edit_id) for edit_id in edit_ids]
    again = [site.ended(edit_id) for edit_id in edit_ids]
    late = [str(v.error.code) for v in views if v is not None and v.error is not None]
    return Struck(
        edit_ids=[site.submit()],
        since_s=time.monotonic(),
        as_promised=late == [ErrorCode.DEADLINE_EXCEEDED] * 2 and _as_before(views, again),
        note=f"ended meanwhile: {late}",
    )


def canceled(injection: Injection) -> Struck:
    """An edit in work, just after its worker was stopped."""
    site = injection.site
    edit_id = injection.stopped_at("write")
    with _asleep(site):
        began_s = time.monotonic()
        site.client.edits.cancel(edit_id)
        view = site.ended(edit_id)
        took_s = time.monotonic() - began_s
    done = view is not None and view.status is EditStatus.CANCELED
    return Struck(
        edit_ids=[site.submit()],
        since_s=time.monotonic(),
        as_promised=done and _as_before([view], [site.ended(edit_id)]),
        note=f"canceled meanwhile: {done}, after {took_s:.1f} s",
    )


@contextmanager
def _asleep(site: House) -> Iterator[None]:
    """The worker is stopped meanwhile; afterwards it wakes and goes on."""
    site.signal("worker", signal.SIGSTOP)
    try:
        yield
    finally:
        site.signal("worker", signal.SIGCONT)
        site.let_go()
        time.sleep(AFTERWARDS_S)


def _as_before(views: list[EditView | None], again: list[EditView | None]) -> bool:
    return [v and v.model_dump() for v in views] == [v and v.model_dump() for v in again]
