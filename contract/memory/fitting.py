"""The largest settings with which an edit fits a budget.

An edit's memory is known in two steps: attribution beforehand, the write once its neurons are
selected. Until then it lies between that of the fewest and that of the most neurons.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace

from contract.memory.estimate import estimate
from contract.memory.shape import ModelShape
from contract.memory.work import Chosen, Workload, Write
from contract.memory.writing import chosen_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Layers per pass, and the most neurons that certainly fit; None: as many as the request may
    select."""

    layers: int
    neurons: int | None


def fit(
    shape: ModelShape, work: Workload, *, budget_bytes: int, on_host: bool = True
) -> Fit | None:
    """The largest settings within the budget; None when the edit cannot fit it at all."""

    def fits(version: Workload, layers: int) -> bool:
        predicted = estimate(shape, version, layers_per_pass=layers, on_host=on_host)
        return predicted.peak_bytes <= budget_bytes

    least = least_of(shape, work)
    layers = largest_that(lambda n: fits(least, n), most=shape.n_layer)
    if layers is None:
        return None
    if fits(work, layers):
        return Fit(layers=layers, neurons=None)

    def fits_with(neurons: int) -> bool:
        return fits(replace(work, chosen=at_worst(shape, neurons)), layers)

    neurons = largest_that(fits_with, most=chosen_of(shape, work).neurons)
    return Fit(layers=layers, neurons=neurons or 0)


def least_of(shape: ModelShape, work: Workload) -> Workload:
    """The least that the work can turn out to be: the fewest neurons, short texts to preserve."""
    if work.chosen is not None:
        return work
    fewest = _fewest(shape, work)
    return replace(work, chosen=fewest, references=work.references.at_least, ended=False)


def _fewest(shape: ModelShape, work: Workload) -> Chosen:
    """One neuron in the top layer; a searched write has one in each layer from the lowest on, since
    neurons are compared with the strongest of their layer."""
    if work.write is Write.SEARCHED:
        layers = min(work.max_neurons, shape.n_layer)
        return Chosen(neurons=layers, widest=1, layers=layers)
    return Chosen(neurons=1, widest=1, layers=1, lowest=shape.n_layer - 1)


def at_worst(shape: ModelShape, neurons: int) -> Chosen:
    """The costliest distribution of neurons: as many as fit in one layer, from the lowest on."""
    layers = min(neurons, shape.n_layer)
    return Chosen(neurons=neurons, widest=min(neurons, shape.d_ff), layers=layers)


def largest_that(fits: Callable[[int], bool], *, most: int) -> int | None:
    """The largest number from 1 to `most` that fits, where every smaller one does too."""
    if most > 0 and fits(most):  # the usual case
        return most
    found = bisect_left(range(1, most + 1), True, key=lambda n: not fits(n))
    return found or None
