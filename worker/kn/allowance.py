"""What an edit may take, decided again whenever more of it is known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contract.memory import Chosen, Held, ModelShape, Workload, estimate, fit
from worker.kn.errors import OverBudgetError
from worker.kn.neuron import Scored
from worker.kn.recipe import Selection
from worker.kn.statement import Statement
from worker.kn.workload import shape_of

HALVINGS = 24
"""Between two thresholds, as many as tell single precision apart."""


@dataclass(slots=True)
class Allowance:
    """The work as far as it is known, and the layers that ride per pass.

    `budget_bytes` may be None: then all is allowed. Each step raises `OverBudgetError` when what
    has become known does not fit, before any of it is allocated.
    """

    shape: ModelShape
    work: Workload
    layers: int
    budget_bytes: int | None
    on_host: bool
    raised_threshold: float | None = None

    @property
    def predicted_bytes(self) -> int:
        """The peak, as far as it is known; what is not is taken to be the most."""
        return self._bytes_of(self.work)

    def settle(self, work: Workload) -> int:
        """The answers are known: the layers that ride per pass, no more than were allowed."""
        self.work = work
        if self.budget_bytes is not None:
            found = fit(self.shape, work, budget_bytes=self.budget_bytes, on_host=self.on_host)
            if found is None:
                raise self._refusal()
            self.layers = min(self.layers, found.layers)
        return self.layers

    def attributing(self, statements: Sequence[Statement]) -> int:
        """These are the statements that are attributed: the layers that ride per pass."""
        return self.settle(replace(self.work, attributed=tuple(map(shape_of, statements))))

    def narrow(self, selection: Selection, *, threshold_max: float | None) -> Selection:
        """The neurons are found: if they are more than fit, those above the lowest threshold with
        which they do, not beyond `threshold_max`."""
        narrowed = self._narrowed(selection, threshold_max or selection.threshold)
        if narrowed.threshold > selection.threshold:
            self.raised_threshold = narrowed.threshold
        self.work = _with(self.work, narrowed)
        if not self._fits(self.work):
            raise self._refusal()
        return replace(narrowed, above=None)  # which holds the scores of all neurons

    def hold(self, held: Sequence[Held]) -> None:
        """It is known which texts the write has to leave alone."""
        self.work = replace(self.work, held=tuple(held))
        if not self._fits(self.work):
            raise self._refusal()

    def _narrowed(self, selection: Selection, most: float) -> Selection:
        low, high, above = selection.threshold, most, selection.above
        if above is None or high <= low or self._fits(_with(self.work, selection)):
            return selection
        fitting = above(high)
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            found = above(middle)
            if found and self._fits(replace(self.work, chosen=_chosen(found))):
                high, fitting = middle, found
            else:
                low = middle
        return replace(selection, neurons=fitting or selection.neurons, threshold=high)

    def _fits(self, work: Workload) -> bool:
        """Whether what is known fits; of texts still to be held the shortest are counted."""
        if self.budget_bytes is None:
            return True
        known = work.references if work.held is not None else work.references.at_least
        return self._bytes_of(replace(work, references=known)) <= self.budget_bytes

    def _bytes_of(self, work: Workload) -> int:
        return estimate(
            self.shape, work, layers_per_pass=self.layers, on_host=self.on_host
        ).peak_bytes

    def _refusal(self) -> OverBudgetError:
        assert self.budget_bytes is not None, "all is allowed without a budget"
        return OverBudgetError(predicted=self.predicted_bytes, budget=self.budget_bytes)


def _with(work: Workload, selection: Selection) -> Workload:
    return replace(work, chosen=_chosen(selection.neurons))


def _chosen(neurons: Sequence[Scored]) -> Chosen:
    return Chosen.of(scored.neuron.layer for scored in neurons)
