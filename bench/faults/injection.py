"""Injecting one fault, and judging the aftermath."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.service.running import RunningService
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one place; `act` injects it and returns what to judge."""

    fault: str
    name: str
    act: "Callable[[Injection], Aftermath]"
    is_kill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """The accepted edits, when the fault struck or ended, and what was seen."""

    edit_ids: Sequence[str]
    since_s: float
    code: ErrorCode | None = None
    """With which code the first of them must fail; None: all must succeed."""
    as_promised: bool = True
    note: str = ""


@dataclass(slots=True)
class Injection:
    """The service that faults are injected into."""

    service: RunningService
    pause_s: float
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file of an edit that was made before any fault."""

    def run(self, case: Case) -> dict[str, Any]:
        """Inject one fault and judge the aftermath."""
        if not self.files:
            self.files = self._files_of(self._finished(self.service.submit()))
        aftermath = case.act(self)
        self.service.ended(aftermath.edit_ids[0])
        recovery_s = time.monotonic() - aftermath.since_s
        views = [self.service.ended(edit_id) for edit_id in aftermath.edit_ids]
        return {
            "recovery_s": round(max(recovery_s, 0.0), 2),
            "lost": sum(view is None for view in views),
            "twice": sum(self._successes(edit_id) > 1 for edit_id in aftermath.edit_ids),
            "tainted": sum(self._is_tainted(view) for view in views),
            "as_promised": aftermath.as_promised and _ended_as(aftermath.code, views),
            "note": aftermath.note,
        }

    def stopped_at(self, point: str) -> str:
        """A new edit, whose worker waits at a point."""
        self.service.order(point)
        edit_id = self.service.submit()
        assert self.service.reached(), f"the worker did not reach {point}"
        return edit_id

    def _finished(self, edit_id: str) -> EditView:
        view = self.service.ended(edit_id)
        assert view is not None and view.status is EditStatus.SUCCEEDED, view
        return view

    def _successes(self, edit_id: str) -> int:
        return [event.type for event in self.service.ledger.events(edit_id)].count("succeeded")

    def _is_tainted(self, view: EditView | None) -> bool:
        return view is not None and bool(view.checkpoint_id) and self._files_of(view) != self.files

    def _files_of(self, view: EditView) -> dict[str, str]:
        checkpoint = self.service.store.find(checkpoint_id_of(view.id))
        return {file.path: file.sha256 for file in checkpoint.files} if checkpoint else {}


def _ended_as(code: ErrorCode | None, views: Sequence[EditView | None]) -> bool:
    failed = [view.error.code for view in views if view is not None and view.error is not None]
    done = [view for view in views if view is not None and view.status is EditStatus.SUCCEEDED]
    wanted = [] if code is None else [code]
    return failed == wanted and len(done) == len(views) - len(wanted)
