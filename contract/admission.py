"""Whether an edit fits a budget, and with which settings."""

from contract.memory import Estimate, ModelShape, Workload, estimate, most_layers_within
from contract.views import Admission, Applied, Decision, MemoryItem


def decide(shape: ModelShape, work: Workload, *, budget_bytes: int | None) -> Admission:
    """Admit with all layers in one pass, admit with fewer, or reject.

    `budget_bytes` is what one edit may take above the resident weights; None when no worker has
    told it, and then the edit is taken and decided by the worker.
    """
    whole = estimate(shape, work, layers_per_pass=shape.n_layer)
    if budget_bytes is None:
        return _admission(Decision.ADMIT, whole, None, "no worker has told its memory yet")
    layers = most_layers_within(shape, work, budget_bytes=budget_bytes)
    if layers is None:
        least = estimate(shape, work, layers_per_pass=1)
        reason = (
            f"one layer a pass still takes {least.peak_bytes} bytes "
            f"({least.binding.name}), the budget is {budget_bytes}"
        )
        return _admission(Decision.REJECT, least, budget_bytes, reason)
    if layers == shape.n_layer:
        return _admission(Decision.ADMIT, whole, budget_bytes)
    reason = f"all {shape.n_layer} layers in one pass would take {whole.peak_bytes} bytes"
    reduced = estimate(shape, work, layers_per_pass=layers)
    return _admission(Decision.ADMIT_REDUCED, reduced, budget_bytes, reason)


def _admission(
    decision: Decision, fitting: Estimate, budget_bytes: int | None, *reasons: str
) -> Admission:
    items = tuple(
        MemoryItem(name=item.name, bytes=item.n_bytes, depends_on=item.depends_on)
        for item in fitting.binding.items
    )
    return Admission(
        decision=decision,
        predicted_peak_bytes=fitting.peak_bytes,
        budget_bytes=budget_bytes,
        items=items,
        applied=Applied(layers_per_pass=fitting.layers_per_pass),
        reasons=reasons,
    )
