"""Whether an edit fits a budget, and with which settings."""

from collections.abc import Sequence
from dataclasses import replace

from contract.admission.largest import largest_fit
from contract.memory import (
    Composing,
    Estimate,
    Fit,
    Item,
    ModelShape,
    SequenceShape,
    Workload,
    at_worst,
    estimate,
    estimate_composition,
    fit,
    least_of,
)
from contract.memory.easyedit import easyedit_items
from contract.sizes import size
from contract.wire.estimates import (
    Admission,
    Applied,
    Decision,
    EasyEditCost,
    EditEstimate,
    MemoryItem,
)


def decide(
    shape: ModelShape,
    work: Workload,
    *,
    budget_bytes: int | None,
    rest_bytes: int | None = None,
    on_host: bool = True,
    threshold: float | None = None,
    threshold_max: float | None = None,
) -> Admission:
    """Admit with all layers in one pass, admit with fewer, let wait, or reject.

    `budget_bytes` is what one edit may take above the resident weights; None when no worker has
    told it, and then the edit is taken and decided by the worker. `rest_bytes` is what one may
    take when nothing else is in the memory. `threshold` is what stands in for a request's own.
    """
    if budget_bytes is None:
        whole = estimate(shape, work, layers_per_pass=shape.n_layer, on_host=on_host)
        return _admission(Decision.ADMIT, whole, None, ["no worker has reported its memory yet"])
    found = fit(shape, work, budget_bytes=budget_bytes, on_host=on_host)
    if found is None:
        later = fit(shape, work, budget_bytes=rest_bytes or budget_bytes, on_host=on_host)
        return _not_now(shape, work, budget_bytes, later, on_host=on_host)
    reduced = found.layers < shape.n_layer
    return _admission(
        Decision.ADMIT_REDUCED if reduced else Decision.ADMIT,
        _fitting(shape, work, found, on_host=on_host),
        budget_bytes,
        _reasons(shape, work, found, threshold_max, on_host=on_host),
        applied=Applied(
            layers_per_pass=found.layers, adaptive_threshold=threshold, max_neurons=found.neurons
        ),
    )


def with_layers(
    admission: Admission, shape: ModelShape, work: Workload, layers: int, *, on_host: bool = True
) -> Admission:
    """The same admission, estimated for so many layers per pass."""
    neurons = admission.applied.max_neurons
    fitting = _fitting(shape, work, Fit(layers=layers, neurons=neurons), on_host=on_host)
    applied = admission.applied.model_copy(update={"layers_per_pass": layers})
    return admission.model_copy(
        update={
            "predicted_peak_bytes": fitting.peak_bytes,
            "items": _told(fitting.binding.items),
            "applied": applied,
        }
    )


def decide_composition(
    shape: ModelShape,
    work: Composing,
    *,
    budget_bytes: int | None,
    rest_bytes: int | None = None,
    on_host: bool = True,
) -> Admission:
    """As `decide` does; of edits that are put together nothing can be made smaller."""
    estimated = estimate_composition(shape, work, on_host=on_host)
    if budget_bytes is None:
        return _admission(
            Decision.ADMIT, estimated, None, ["no worker has reported its memory yet"]
        )
    takes = estimated.peak_bytes
    if takes <= budget_bytes:
        return _admission(Decision.ADMIT, estimated, budget_bytes)
    reason = (
        f"{len(work.members)} edits together take {size(takes)} ({estimated.binding.name}), "
        f"the budget is {size(budget_bytes)}"
    )
    if takes <= (rest_bytes or budget_bytes):
        later = "it will fit once other processes have freed their memory"
        return _admission(Decision.DEFER, estimated, budget_bytes, [reason, later])
    return _admission(Decision.REJECT, estimated, budget_bytes, [reason, "fewer edits take less"])


def with_easyedit(admission: Admission, shape: ModelShape, fact: SequenceShape) -> EditEstimate:
    """The admission with what EasyEdit's own KN would take for the fact, so that users see both."""
    items = _told(easyedit_items(shape, fact))
    cost = EasyEditCost(peak_bytes=sum(item.bytes for item in items), items=items)
    return EditEstimate(**dict(admission), easyedit=cost)


def _not_now(
    shape: ModelShape, work: Workload, budget_bytes: int, later: Fit | None, *, on_host: bool
) -> Admission:
    least = estimate(shape, least_of(shape, work), layers_per_pass=1, on_host=on_host)
    reason = (
        f"one layer a pass takes at least {size(least.peak_bytes)} ({least.binding.name}), "
        f"the budget is {size(max(budget_bytes, 0))}"
    )
    if later is not None:
        reasons = [reason, "it will fit once other processes have freed their memory"]
        return _admission(Decision.DEFER, least, budget_bytes, reasons)
    largest = largest_fit(shape, work, budget_bytes=budget_bytes, on_host=on_host)
    told = "no smaller version of this request fits" if largest is None else str(largest)
    if budget_bytes <= 0:
        told = (
            "the weights leave no room: use a smaller model, or spread it over several cards "
            "with PALIMPSEST_DEVICE=auto"
        )
    rejected = _admission(Decision.REJECT, least, budget_bytes, [reason, told])
    return rejected.model_copy(update={"largest_fit": largest})


def _fitting(shape: ModelShape, work: Workload, found: Fit, *, on_host: bool) -> Estimate:
    if found.neurons is not None:
        work = _between(shape, work, found.neurons)
    return estimate(shape, work, layers_per_pass=found.layers, on_host=on_host)


def _between(shape: ModelShape, work: Workload, neurons: int) -> Workload:
    """The work with so many neurons, wherever they are found, or with the fewest there can be."""
    least = least_of(shape, work)
    if least.chosen is None or neurons < least.chosen.neurons:
        return least
    return replace(work, chosen=at_worst(shape, neurons))


def _reasons(
    shape: ModelShape, work: Workload, found: Fit, threshold_max: float | None, *, on_host: bool
) -> list[str]:
    reasons = []
    if found.layers < shape.n_layer:
        least = least_of(shape, work)
        whole = estimate(shape, least, layers_per_pass=shape.n_layer, on_host=on_host)
        reasons.append(
            f"all {shape.n_layer} layers in one pass would take {size(whole.peak_bytes)}"
        )
    if found.neurons is not None:
        otherwise = (
            f"the threshold is raised, up to {threshold_max}; else the edit fails"
            if threshold_max
            else "the edit fails"
        )
        reasons.append(
            f"up to {found.neurons} neurons fit in any layers; if more are found and do not fit, "
            f"{otherwise}"
        )
    return reasons


def _admission(
    decision: Decision,
    fitting: Estimate,
    budget_bytes: int | None,
    reasons: Sequence[str] = (),
    *,
    applied: Applied | None = None,
) -> Admission:
    return Admission(
        decision=decision,
        predicted_peak_bytes=fitting.peak_bytes,
        budget_bytes=budget_bytes,
        items=_told(fitting.binding.items),
        applied=applied or Applied(layers_per_pass=fitting.layers_per_pass),
        reasons=tuple(reasons),
    )


def _told(items: Sequence[Item]) -> tuple[MemoryItem, ...]:
    return tuple(
        MemoryItem(name=item.name, bytes=item.n_bytes, depends_on=item.depends_on) for item in items
    )
