"""Whether an edit fits a budget, and with which settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

UNKNOWN_MEMORY = "no worker has reported its memory yet"
WAIT = "it will fit once other processes have freed their memory"


@dataclass(frozen=True, slots=True)
class _Job:
    """A workload on one model, and whether that is in main memory."""

    shape: ModelShape
    work: Workload
    on_host: bool

    @property
    def least(self) -> "_Job":
        """The least that the job can turn out to be."""
        return replace(self, work=least_of(self.shape, self.work))

    def estimated(self, layers: int) -> Estimate:
        return estimate(self.shape, self.work, layers_per_pass=layers, on_host=self.on_host)

    def fit(self, budget_bytes: int) -> Fit | None:
        return fit(self.shape, self.work, budget_bytes=budget_bytes, on_host=self.on_host)

    def fitted(self, found: Fit) -> Estimate:
        """The estimate at the settings that fit."""
        return self._with(found.neurons).estimated(found.layers)

    def _with(self, neurons: int | None) -> "_Job":
        """The job with so many neurons in the costliest layers, or with the fewest there can be."""
        if neurons is None:
            return self
        least = self.least
        if least.work.chosen is None or neurons < least.work.chosen.neurons:
            return least
        return replace(self, work=replace(self.work, chosen=at_worst(self.shape, neurons)))


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
    """Admit with all layers in one pass, admit with fewer, defer, or reject.

    `budget_bytes` is what one edit may take above the resident weights; None when no worker has
    reported it: the edit is then admitted, and its worker decides. `rest_bytes` is what one may
    take when nothing else is in memory. `threshold` replaces the request's own.
    """
    job = _Job(shape, work, on_host)
    if budget_bytes is None:
        return _admission(Decision.ADMIT, job.estimated(shape.n_layer), None, [UNKNOWN_MEMORY])
    found = job.fit(budget_bytes)
    if found is None:
        fits_later = job.fit(rest_bytes or budget_bytes) is not None
        return _deferred(job, budget_bytes) if fits_later else _rejected(job, budget_bytes)
    reduced = found.layers < shape.n_layer
    return _admission(
        Decision.ADMIT_REDUCED if reduced else Decision.ADMIT,
        job.fitted(found),
        budget_bytes,
        _reasons(job, found, threshold_max),
        applied=Applied(
            layers_per_pass=found.layers, adaptive_threshold=threshold, max_neurons=found.neurons
        ),
    )


def with_layers(
    admission: Admission, shape: ModelShape, work: Workload, layers: int, *, on_host: bool = True
) -> Admission:
    """The same admission, estimated for this many layers per pass."""
    found = Fit(layers=layers, neurons=admission.applied.max_neurons)
    fitted = _Job(shape, work, on_host).fitted(found)
    applied = admission.applied.model_copy(update={"layers_per_pass": layers})
    return admission.model_copy(
        update={
            "predicted_peak_bytes": fitted.peak_bytes,
            "items": _on_the_wire(fitted.binding.items),
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
    """Decide like `decide`, except that a composition cannot be reduced."""
    estimated = estimate_composition(shape, work, on_host=on_host)
    if budget_bytes is None:
        return _admission(Decision.ADMIT, estimated, None, [UNKNOWN_MEMORY])
    takes = estimated.peak_bytes
    if takes <= budget_bytes:
        return _admission(Decision.ADMIT, estimated, budget_bytes)
    reason = (
        f"{len(work.members)} edits together take {size(takes)} ({estimated.binding.name}), "
        f"the budget is {size(budget_bytes)}"
    )
    if takes <= (rest_bytes or budget_bytes):
        return _admission(Decision.DEFER, estimated, budget_bytes, [reason, WAIT])
    return _admission(Decision.REJECT, estimated, budget_bytes, [reason, "fewer edits take less"])


def with_easyedit(admission: Admission, shape: ModelShape, fact: SequenceShape) -> EditEstimate:
    """The admission with what EasyEdit's own KN would take for the fact, so that users see both."""
    items = _on_the_wire(easyedit_items(shape, fact))
    cost = EasyEditCost(peak_bytes=sum(item.bytes for item in items), items=items)
    return EditEstimate(**dict(admission), easyedit=cost)


def _deferred(job: _Job, budget_bytes: int) -> Admission:
    least = job.least.estimated(1)
    return _admission(Decision.DEFER, least, budget_bytes, [_excess(least, budget_bytes), WAIT])


def _rejected(job: _Job, budget_bytes: int) -> Admission:
    least = job.least.estimated(1)
    largest = largest_fit(job.shape, job.work, budget_bytes=budget_bytes, on_host=job.on_host)
    advice = "no smaller version of this request fits" if largest is None else str(largest)
    if budget_bytes <= 0:
        advice = (
            "the weights leave no room: use a smaller model, or spread it over several cards "
            "with PALIMPSEST_DEVICE=auto"
        )
    reasons = [_excess(least, budget_bytes), advice]
    rejected = _admission(Decision.REJECT, least, budget_bytes, reasons)
    return rejected.model_copy(update={"largest_fit": largest})


def _excess(least: Estimate, budget_bytes: int) -> str:
    return (
        f"one layer a pass takes at least {size(least.peak_bytes)} ({least.binding.name}), "
        f"the budget is {size(max(budget_bytes, 0))}"
    )


def _reasons(job: _Job, found: Fit, threshold_max: float | None) -> list[str]:
    reasons, n_layer = [], job.shape.n_layer
    if found.layers < n_layer:
        whole = job.least.estimated(n_layer)
        reasons.append(f"all {n_layer} layers in one pass would take {size(whole.peak_bytes)}")
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
    estimated: Estimate,
    budget_bytes: int | None,
    reasons: Sequence[str] = (),
    *,
    applied: Applied | None = None,
) -> Admission:
    return Admission(
        decision=decision,
        predicted_peak_bytes=estimated.peak_bytes,
        budget_bytes=budget_bytes,
        items=_on_the_wire(estimated.binding.items),
        applied=applied or Applied(layers_per_pass=estimated.layers_per_pass),
        reasons=tuple(reasons),
    )


def _on_the_wire(items: Sequence[Item]) -> tuple[MemoryItem, ...]:
    return tuple(
        MemoryItem(name=item.name, bytes=item.n_bytes, depends_on=item.depends_on) for item in items
    )
