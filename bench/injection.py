"""Injecting one fault, and judging what came of it."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.house import House
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus
from contract.wire.views import EditView


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one place; `act` injects it and returns what is to be judged."""

    fault: str
    name: str
    act: "Callable[[Injection], Struck]"
    is_kill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """The edits that were accepted, when the fault struck or ended, and what was seen."""

    edit_ids: Sequence[str]
    since_s: float
    code: ErrorCode | None = None
    """How the first of them is to fail; None: all succeed."""
    as_promised: bool = True
    note: str = ""


@dataclass(slots=True)
class Injection:
    """What a case works with."""

    site: House
    pause_s: float
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file of the edit, as it was made before any fault."""

    def run(self, case: Case) -> dict[str, Any]:
        """Inject one fault and judge what came of it."""
        if not self.files:
            self.files = self._files_of(self._finished(self.site.submit()))
        struck = case.act(self)
        self.site.ended(struck.edit_ids[0])
        recovery_s = time.monotonic() - struck.since_s
        views = [self.site.ended(edit_id) for edit_id in struck.edit_ids]
        return {
            "recovery_s": round(max(recovery_s, 0.0), 2),
            "lost": sum(view is None for view in views),
            "twice": sum(self._successes(edit_id) > 1 for edit_id in struck.edit_ids),
            "tainted": sum(self._is_tainted(view) for view in views),
            "as_promised": struck.as_promised and _ended_as(struck.code, views),
            "note": struck.note,
        }

    def stopped_at(self, point: str) -> str:
        """A new edit whose worker waits at a point."""
        self.site.order(point)
        edit_id = self.site.submit()
        assert self.site.reached(), f"the worker did not come to {point}"
        return edit_id

    def _finished(self, edit_id: str) -> EditView:
        view = self.site.ended(edit_id)
        assert view is not None and view.status is EditStatus.SUCCEEDED, view
        return view

    def _successes(self, edit_id: str) -> int:
        return [event.type for event in self.site.ledger.events(edit_id)].count("succeeded")

    def _is_tainted(self, view: EditView | None) -> bool:
        return view is not None and bool(view.checkpoint_id) and self._files_of(view) != self.files

    def _files_of(self, view: EditView) -> dict[str, str]:
        checkpoint = self.site.store.find(checkpoint_id_of(view.id))
        return {file.path: file.sha256 for file in checkpoint.files} if checkpoint else {}


def _ended_as(code: ErrorCode | None, views: Sequence[EditView | None]) -> bool:
    failed = [view.error.code for view in views if view is not None and view.error is not None]
    done = [view for view in views if view is not None and view.status is EditStatus.SUCCEEDED]
    wanted = [] if code is None else [code]
    return failed == wanted and len(done) == len(views) - len(wanted)
