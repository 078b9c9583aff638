"""The largest settings of a refused request that would fit."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace

from contract.memory import ModelShape, Workload, at_worst, estimate, fit, least_of
from contract.wire.estimates import LargestFit

LEAST = LargestFit(steps=1, prompts=1, protect_prompts=0, questions=0, max_neurons=None)
ORDER = ("prompts", "protect_prompts", "questions", "steps")
"""What is kept first: points on the path are given up before prompts are."""

Assumption = Callable[[ModelShape, Workload], Workload]
"""A workload with an assumption about neurons and texts that are not known yet."""


def largest_fit(
    shape: ModelShape, work: Workload, *, budget_bytes: int, on_host: bool
) -> LargestFit | None:
    """The largest settings that fit, none of which could be larger by itself; None if none fit.

    Settings that certainly fit with one neuron, whatever its layer, are preferred to those that
    fit only in the best case.
    """

    def largest(assumption: Assumption) -> LargestFit | None:
        def fits(settings: LargestFit) -> bool:
            smaller = assumption(shape, _with(work, settings))
            estimated = estimate(shape, smaller, layers_per_pass=1, on_host=on_host)
            return estimated.peak_bytes <= budget_bytes

        return _largest(_asked(work), fits)

    settings = largest(_one_neuron) or largest(least_of)
    if settings is None:
        return None
    fitting = fit(shape, _with(work, settings), budget_bytes=budget_bytes, on_host=on_host)
    neurons = fitting.neurons if fitting is not None else None
    return settings.model_copy(update={"max_neurons": neurons or None})


def _one_neuron(shape: ModelShape, work: Workload) -> Workload:
    """One neuron, in the layer where it takes most."""
    return replace(work, chosen=at_worst(shape, 1))


def _largest(asked: LargestFit, fits: Callable[[LargestFit], bool]) -> LargestFit | None:
    """The settings in order, each as large as fits beside those before it."""
    if not fits(LEAST):
        return None
    largest = LEAST
    for name in ORDER:
        numbers = range(getattr(largest, name), getattr(asked, name) + 1)
        rising = [largest.model_copy(update={name: n}) for n in numbers]
        largest = rising[bisect_left(rising, True, key=lambda more: not fits(more)) - 1]
    return largest


def _asked(work: Workload) -> LargestFit:
    prompts, protected = len(work.written), len(work.protected)
    return LargestFit(
        steps=work.steps,
        prompts=prompts,
        protect_prompts=protected,
        questions=len(work.evaluated) - prompts - protected,
        max_neurons=None,
    )


def _with(work: Workload, settings: LargestFit) -> Workload:
    """The work with these settings; what is asked lists prompts first, then protected prompts."""
    asked, n = _asked(work), settings.prompts
    scoring = asked.prompts + asked.protect_prompts
    evaluated = (
        *work.evaluated[:n],
        *work.evaluated[asked.prompts :][: settings.protect_prompts],
        *work.evaluated[scoring:][: settings.questions],
    )
    return replace(
        work,
        # EasyEdit attributes its one prompt token by token.
        attributed=work.attributed if work.gated_unit else work.attributed[:n],
        attributed_new=work.attributed_new[:n],
        written=work.written[:n],
        protected=work.protected[: settings.protect_prompts],
        evaluated=evaluated,
        steps=settings.steps,
    )
