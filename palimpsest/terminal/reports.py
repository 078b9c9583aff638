"""Edits as a person reads them."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from contract.sizes import size
from contract.wire.checkpoints import CheckpointView, CompositionView
from contract.wire.lifecycle import EditStatus, Outcome
from contract.wire.views import EditEvent, EditPage, EditView, Metrics, NeuronView
from palimpsest.terminal.tables import columns, one_line, shorten, with_breaks

PROMPT_COLUMNS = 48
ANSWER_COLUMNS = 24


def verdict(edit: EditView) -> str:
    """Where an edit stands, in a word or two."""
    if edit.outcome is Outcome.HELD:
        return "held"
    if edit.outcome is Outcome.NOT_HELD and edit.status is EditStatus.SUCCEEDED:
        return "not held"
    return edit.status.value


def state(edit: EditView) -> str:
    """The same, with the code of a failure: `not held` is one thing, `failed: not_held` another."""
    return f"failed: {edit.error.code}" if edit.error else verdict(edit)


def change(edit: EditView) -> str:
    """What the model said before and says after; the wish, as long as there is nothing to tell."""
    if edit.before is None or edit.after is None:
        return f"{shorten(edit.ground_truth or '?', ANSWER_COLUMNS)} → " + shorten(
            edit.target_new, ANSWER_COLUMNS
        )
    return f"{shorten(edit.before, ANSWER_COLUMNS)} → {shorten(edit.after, ANSWER_COLUMNS)}"


def ending(edit: EditView) -> str:
    """One line on an edit that has ended."""
    if edit.error is not None:
        facts = [f"{edit.error.code}: {one_line(edit.error.message)}", edit.id]
    elif edit.status is EditStatus.SUCCEEDED:
        facts = [change(edit), neurons(edit.neurons or ()), edit.checkpoint_id or edit.id]
    else:
        facts = [edit.id]
    warned = [f"warning {warning.code}" for warning in edit.warnings]
    prompt = f"“{shorten(with_breaks(edit.prompt), PROMPT_COLUMNS)}”"
    return f"{verdict(edit):<9} " + " · ".join([prompt, *facts, *warned])


def neurons(found: Sequence[NeuronView]) -> str:
    """How many neurons, in which layers."""
    if not found:
        return "no neurons"
    layers = sorted({neuron.layer for neuron in found})
    count = "1 neuron" if len(found) == 1 else f"{len(found)} neurons"
    where = "layer" if len(layers) == 1 else "layers"
    return f"{count} in {where} {ranges(layers)}"


def ranges(numbers: Sequence[int]) -> str:
    """Rising numbers in short: `0-2, 5`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)


def activity(edit: EditView | CompositionView | CheckpointView) -> str:
    """What an unfinished edit or composition is at."""
    if isinstance(edit, CheckpointView):
        return edit.status.value
    if edit.status is EditStatus.QUEUED:
        place = f", {edit.queue.position} ahead" if edit.queue and edit.queue.position else ""
        reason = f" ({edit.queued_reason.value})" if edit.queued_reason else ""
        return f"queued{place}{reason}"
    parts = [edit.status.value if edit.phase is None else edit.phase.value]
    if edit.progress is not None:
        parts.append(f"{edit.progress.done}/{edit.progress.total} {edit.progress.unit}")
    return " ".join(parts)


def table(page: EditPage) -> list[str]:
    """A page of edits, one a line, below a heading."""
    head = ("EDIT", "CREATED", "STATE", "PROMPT", "CHANGE")
    return columns([head, *(_row(edit) for edit in page.items)])


def _row(edit: EditView) -> tuple[str, ...]:
    prompt = shorten(with_breaks(edit.prompt), PROMPT_COLUMNS)
    return (edit.id, _minute(edit.created_at), state(edit), prompt, change(edit))


def details(edit: EditView) -> list[str]:
    """Everything on one edit that a person may want to know, as aligned lines."""
    rows = [(name, text) for name, text in _details(edit) if text]
    return [f"{edit.id}  {verdict(edit)}", *(f"  {line}" for line in columns(rows))]


def _details(edit: EditView) -> Iterable[tuple[str, str]]:
    if not edit.status.is_final:
        yield "now", activity(edit)
    if edit.error is not None:
        yield "error", f"{edit.error.code}: {one_line(edit.error.message)}"
    yield "model", edit.model or ""
    yield "method", edit.method.value
    yield "prompt", one_line(with_breaks(edit.prompt))
    yield "wanted", one_line(f"{edit.ground_truth or '?'} → {edit.target_new}")
    yield "before", one_line(edit.before or "")
    yield "after", one_line(edit.after or "")
    for answer in edit.answers:
        if answer.role != "prompt":
            told = f"{with_breaks(answer.prompt)} … {answer.before} → {answer.after}"
            yield answer.role, one_line(told)
    if edit.neurons is not None:
        yield "neurons", neurons(edit.neurons)
    if edit.metrics is not None:
        yield "metrics", metrics(edit.metrics)
    if edit.memory is not None:
        observed = edit.memory.observed_peak_bytes
        seen = "" if observed is None else f", {size(observed)} observed"
        yield "memory", f"{size(edit.memory.predicted_peak_bytes)} predicted{seen}"
    for warning in edit.warnings:
        yield "warning", f"{warning.code}: {one_line(warning.message)}"
    yield "attempts", str(edit.attempt) if edit.attempt > 1 else ""
    if edit.started_at and edit.finished_at:
        yield "took", f"{(edit.finished_at - edit.started_at).total_seconds():.1f} s"
    yield "of that", " · ".join(f"{name} {seconds:.1f}" for name, seconds in edit.timings.items())
    yield "created", edit.created_at.isoformat(timespec="seconds")
    yield "checkpoint", edit.checkpoint_id or ""


def metrics(found: Metrics) -> str:
    """The metrics that were scored."""
    scored = found.model_dump(exclude_none=True)
    return " · ".join(f"{name} {value:.2f}" for name, value in scored.items())


def event(happened: EditEvent) -> str:
    """One line on one event."""
    told = " ".join(f"{name}={_flat(value)}" for name, value in happened.data.items())
    return f"{happened.at:%H:%M:%S}  {happened.type:<10} {told}".rstrip()


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{_flat(part)}" for name, part in value.items() if part is not None)
    return shorten(str(value), PROMPT_COLUMNS)


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
