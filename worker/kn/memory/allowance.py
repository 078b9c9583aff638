"""The memory an edit may use, decided again whenever more of it is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from contract.memory import (
    Chosen,
    Estimate,
    ModelShape,
    PreservedBatch,
    Workload,
    estimate,
    fit,
    least_of,
)
from worker.kn.collect.neuron import Scored
from worker.kn.errors import OverBudgetError
from worker.kn.memory.metering import StagePeak
from worker.kn.memory.workload import shape_of
from worker.kn.methods.recipe import Selection
from worker.kn.model.statement import Statement

HALVINGS = 24
"""Of the interval between two thresholds: down to single precision."""


@dataclass(slots=True)
class Allowance:
    """The work as far as it is known, and the layers per pass.

    `promised_bytes` of None allows everything. `room_bytes` returns what other processes leave of
    it now; `lowered` is called when the layers per pass become fewer. Each step raises
    `OverBudgetError` before allocating anything if what is now known does not fit.
    """

    shape: ModelShape
    work: Workload
    layers: int
    promised_bytes: int | None
    on_host: bool
    room_bytes: Callable[[], int] | None = None
    lowered: Callable[[int], None] = lambda layers: None
    raised_threshold: float | None = None
    most_layers: int = 0  # of any pass so far
    collected: bool = False

    @property
    def budget_bytes(self) -> int | None:
        """The promised bytes, or what is left of them."""
        if self.promised_bytes is None or self.room_bytes is None:
            return self.promised_bytes
        return min(self.promised_bytes, self.room_bytes())

    @property
    def predicted_bytes(self) -> int:
        """The predicted peak; what is not known yet is assumed to be the most possible."""
        return self._estimate(self.work).peak_bytes

    def beside(self, observed: Mapping[str, int]) -> tuple[StagePeak, ...]:
        """Each stage's predicted peak, with the observed one."""
        return tuple(
            StagePeak(s.name, s.n_bytes, observed.get(s.name), s.items)
            for s in self._estimate(self.work).stages
        )

    def settle(self, work: Workload) -> int:
        """Called once the answers are known: the layers per pass, never more than before."""
        self.work = work
        budget = self.budget_bytes
        if budget is not None:
            found = fit(self.shape, work, budget_bytes=budget, on_host=self.on_host)
            if found is None:
                raise OverBudgetError(predicted=self._least_bytes(work), budget=budget)
            self._lower(found.layers)
        return self.layers

    def next_layers(self) -> int:
        """The layers of the next pass: fewer if other processes have taken memory meanwhile, but at
        least one, since an edit that has begun may still finish."""
        budget = self.budget_bytes
        if budget is not None and budget != self.promised_bytes:
            found = fit(self.shape, self.work, budget_bytes=budget, on_host=self.on_host)
            self._lower(found.layers if found else 1)
        self.most_layers = max(self.most_layers, self.layers)
        return self.layers

    def _lower(self, most: int) -> None:
        if most < self.layers:
            self.layers = most
            self.lowered(most)

    def attributing(self, statements: Sequence[Statement]) -> int:
        """Called once the statements to attribute are known: the layers per pass."""
        return self.settle(replace(self.work, attributed=tuple(map(shape_of, statements))))

    def walking(self, tokens: int) -> None:
        """Called before a prompt of `tokens` is run: EasyEdit's grow by the model's output."""
        self.work = replace(self.work, walked=max(self.work.walked, tokens))
        if self.collected:
            self._check_fits()
        else:
            self.settle(self.work)

    def narrow(self, selection: Selection, *, threshold_max: float | None) -> Selection:
        """Called once neurons are found: if they do not fit, those above the lowest threshold that
        fits, at most `threshold_max`. The memory of the passes is free by then."""
        self.collected = True
        narrowed = self._narrowed(selection, threshold_max or selection.threshold)
        if narrowed.threshold > selection.threshold:
            self.raised_threshold = narrowed.threshold
        self.work = _with(self.work, narrowed)
        self._check_fits()
        return replace(narrowed, above=None)  # its closure keeps all scores

    def preserve(self, batches: Sequence[PreservedBatch]) -> None:
        """Called once it is known which texts the write must preserve."""
        self.work = replace(self.work, preserved=tuple(batches))
        self._check_fits()

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
        """Whether what is known fits; texts to preserve that are not known yet count as short."""
        budget = self.budget_bytes
        return budget is None or self._ahead_bytes(work) <= budget

    def _check_fits(self) -> None:
        budget, ahead = self.budget_bytes, self._ahead_bytes(self.work)
        if budget is not None and ahead > budget:
            raise OverBudgetError(predicted=ahead, budget=budget)

    def _ahead_bytes(self, work: Workload) -> int:
        """A lower bound of the peak over the remaining stages."""
        if work.preserved is None:
            work = replace(work, references=work.references.at_least)
        over = "collect" if self.collected else None
        return max(s.n_bytes for s in self._estimate(work).stages if s.name != over)

    def _estimate(self, work: Workload) -> Estimate:
        layers = self.most_layers or self.layers
        return estimate(self.shape, work, layers_per_pass=layers, on_host=self.on_host)

    def _least_bytes(self, work: Workload) -> int:
        least = least_of(self.shape, work)
        return estimate(self.shape, least, layers_per_pass=1, on_host=self.on_host).peak_bytes


def _with(work: Workload, selection: Selection) -> Workload:
    return replace(work, chosen=_chosen(selection.neurons))


def _chosen(neurons: Sequence[Scored]) -> Chosen:
    return Chosen.of(scored.neuron.layer for scored in neurons)
