"""What an edit may take, decided again whenever more of it is known."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from contract.memory import Chosen, Estimate, Held, ModelShape, Workload, estimate, fit, least_of
from worker.kn.collect.neuron import Scored
from worker.kn.errors import OverBudgetError
from worker.kn.memory.metering import StagePeak
from worker.kn.memory.workload import shape_of
from worker.kn.methods.recipe import Selection
from worker.kn.model.statement import Statement

HALVINGS = 24
"""Between two thresholds, as many as tell single precision apart."""


@dataclass(slots=True)
class Allowance:
    """The work as far as it is known, and the layers that ride per pass.

    `promised_bytes` may be None: then all is allowed. `room_bytes` tells what others leave of it
    now, and `lowered` is told when fewer layers ride than before. Each step raises
    `OverBudgetError` when what has become known does not fit, before any of it is allocated.
    """

    shape: ModelShape
    work: Workload
    layers: int
    promised_bytes: int | None
    on_host: bool
    room_bytes: Callable[[], int] | None = None
    lowered: Callable[[int], None] = lambda layers: None
    raised_threshold: float | None = None
    ridden: int = 0  # the most layers that rode in a pass
    collected: bool = False

    @property
    def budget_bytes(self) -> int | None:
        """What was promised, or what is left of it."""
        if self.promised_bytes is None or self.room_bytes is None:
            return self.promised_bytes
        return min(self.promised_bytes, self.room_bytes())

    @property
    def predicted_bytes(self) -> int:
        """The peak, as far as it is known; what is not is taken to be the most."""
        return self._estimate(self.work).peak_bytes

    def beside(self, observed: Mapping[str, int]) -> tuple[StagePeak, ...]:
        """Each stage's own peak as foretold, beside what was seen of it."""
        return tuple(
            StagePeak(s.name, s.n_bytes, observed.get(s.name), s.items)
            for s in self._estimate(self.work).stages
        )

    def settle(self, work: Workload) -> int:
        """The answers are known: the layers that ride per pass, no more than were allowed."""
        self.work = work
        budget = self.budget_bytes
        if budget is not None:
            found = fit(self.shape, work, budget_bytes=budget, on_host=self.on_host)
            if found is None:
                raise OverBudgetError(predicted=self._least_bytes(work), budget=budget)
            self._ride(found.layers)
        return self.layers

    def riding(self) -> int:
        """The layers that ride in the next pass: fewer when others have taken memory meanwhile, and
        at least one, since what was begun may still come to its end."""
        budget = self.budget_bytes
        if budget is not None and budget != self.promised_bytes:
            found = fit(self.shape, self.work, budget_bytes=budget, on_host=self.on_host)
            self._ride(found.layers if found else 1)
        self.ridden = max(self.ridden, self.layers)
        return self.layers

    def _ride(self, most: int) -> None:
        if most < self.layers:
            self.layers = most
            self.lowered(most)

    def attributing(self, statements: Sequence[Statement]) -> int:
        """These are the statements that are attributed: the layers that ride per pass."""
        return self.settle(replace(self.work, attributed=tuple(map(shape_of, statements))))

    def walking(self, tokens: int) -> None:
        """A prompt of so many tokens is run next: EasyEdit's grow by what the model says."""
        self.work = replace(self.work, walked=max(self.work.walked, tokens))
        if self.collected:
            self._check_fits()
        else:
            self.settle(self.work)

    def narrow(self, selection: Selection, *, threshold_max: float | None) -> Selection:
        """The neurons are found: if they are more than fit, those above the lowest threshold with
        which they do, not beyond `threshold_max`. What the passes took is free by then."""
        self.collected = True
        narrowed = self._narrowed(selection, threshold_max or selection.threshold)
        if narrowed.threshold > selection.threshold:
            self.raised_threshold = narrowed.threshold
        self.work = _with(self.work, narrowed)
        self._check_fits()
        return replace(narrowed, above=None)  # which holds the scores of all neurons

    def hold(self, held: Sequence[Held]) -> None:
        """It is known which texts the write has to leave alone."""
        self.work = replace(self.work, held=tuple(held))
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
        """Whether what is known fits; of texts still to be held the shortest are counted."""
        budget = self.budget_bytes
        return budget is None or self._ahead_bytes(work) <= budget

    def _check_fits(self) -> None:
        budget, ahead = self.budget_bytes, self._ahead_bytes(self.work)
        if budget is not None and ahead > budget:
            raise OverBudgetError(predicted=ahead, budget=budget)

    def _ahead_bytes(self, work: Workload) -> int:
        """The peak of the stages that are still to come, as far as it is sure."""
        if work.held is None:
            work = replace(work, references=work.references.at_least)
        over = "collect" if self.collected else None
        return max(s.n_bytes for s in self._estimate(work).stages if s.name != over)

    def _estimate(self, work: Workload) -> Estimate:
        layers = self.ridden or self.layers
        return estimate(self.shape, work, layers_per_pass=layers, on_host=self.on_host)

    def _least_bytes(self, work: Workload) -> int:
        least = least_of(self.shape, work)
        return estimate(self.shape, least, layers_per_pass=1, on_host=self.on_host).peak_bytes


def _with(work: Workload, selection: Selection) -> Workload:
    return replace(work, chosen=_chosen(selection.neurons))


def _chosen(neurons: Sequence[Scored]) -> Chosen:
    return Chosen.of(scored.neuron.layer for scored in neurons)
