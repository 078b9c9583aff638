"""Checkpoints and compositions as a person reads them, and whatever a command shows by its id."""

from contract.sizes import size
from contract.wire.checkpoints import CheckpointView, CompositionView
from contract.wire.composition import Composition
from contract.wire.views import EditView
from palimpsest.terminal import reports
from palimpsest.terminal.reports import activity
from palimpsest.terminal.tables import columns, one_line


def outcome(seen: CheckpointView | CompositionView) -> list[str]:
    """What came of it, and of each edit that is in it."""
    if isinstance(seen, CompositionView):
        error = f": {seen.error.code}: {one_line(seen.error.message)}" if seen.error else ""
        state = seen.status.value if seen.status.is_final else activity(seen)
        return [f"{seen.id}  {state}{error}"]
    head = f"{seen.id}  {seen.result.outcome.value.replace('_', ' ')}"
    if not isinstance(seen.result, Composition):
        return [head]
    rows = [
        (f"  {retest.edit_id}", retest.outcome.value, one_line(f"{retest.before} → {retest.after}"))
        for retest in seen.result.retests
    ]
    met = [f"  {c.kind.value}: {' and '.join(c.edits)}" for c in seen.result.conflicts]
    return [head, *columns(rows), *met]


def details(seen: EditView | CheckpointView | CompositionView) -> list[str]:
    """The same, with what it is made of and its files; of an edit what `reports` tells."""
    if isinstance(seen, EditView):
        return reports.details(seen)
    if isinstance(seen, CompositionView):
        return [*outcome(seen), *(f"  {edit_id}" for edit_id in seen.edits)]
    rows = [
        ("model", seen.model),
        ("base", seen.base or ""),
        ("edit", seen.edit_id or ""),
        ("created", seen.created_at.isoformat(timespec="seconds")),
        *(("file", f"{file.path}  {size(file.size_bytes)}") for file in seen.files),
    ]
    told = columns([row for row in rows if row[1]])
    return [*outcome(seen), *(f"  {line}" for line in told)]
