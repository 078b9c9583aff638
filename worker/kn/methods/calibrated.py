"""The default method: neurons by attribution, a write that is only as strong as it must be.

Three steps, each in a module of its own: the neurons that carry the old answer or the new one, in
the mean of the prompts; one direction per answer token in each layer that has any
(`worker.kn.methods.whitening`), which the fact feels in full and other text hardly; and what is
said along those directions, found by descent until the new answer leads by a margin
(`worker.kn.methods.search`).
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain

import torch
from torch import Tensor

from worker.kn.collect.attribution import attribute
from worker.kn.collect.completeness import worst_incompleteness
from worker.kn.collect.neuron import Scored, by_layer, coarse, strongest
from worker.kn.errors import NoNeuronsError
from worker.kn.methods.bystanders import without_the_fact
from worker.kn.methods.holding import HeldTexts
from worker.kn.methods.means import mean_by_token
from worker.kn.methods.recipe import Selection, Task
from worker.kn.methods.search import Search, search_write
from worker.kn.methods.spelling import spelled
from worker.kn.methods.subject import Subject
from worker.kn.methods.wanted import Wanted
from worker.kn.methods.whitening import whitened
from worker.kn.model.statement import Statement
from worker.kn.request import Operation
from worker.kn.stopwatch import Told
from worker.kn.write.adapter import LayerWrite

DEFAULT_THRESHOLD = 0.002  # of the largest attribution in the neuron's own layer
ERASE_THRESHOLD = 0.05  # of the largest attribution of all
DEFAULT_MAX_NEURONS = 4096


class Calibrated:
    """Neurons of the mean attribution over prompts; a whitened write found by search."""

    def __init__(self, search: Search | None = None) -> None:
        self.search = search or Search()

    def select(self, task: Task, *, told: Told) -> Selection:
        """Neurons that carry the old answer or, in an edit, any token of the new one.

        An answer's later tokens speak from other neurons than its first. To be overwritten, a
        neuron is compared with the largest of its layer: one early unit that everything passes
        through would else hide the layers where the fact is read. What is erased cannot be
        written again, so there the largest of all layers is the measure.
        """
        hparams = task.request.hparams
        if task.request.operation is Operation.ERASE:
            scores, incompleteness = _scores(task, [task.old], told=told)
            largest, default = scores.max(), ERASE_THRESHOLD
        else:
            answers = [task.old] if task.old == task.new else [task.old, task.new]
            scores, incompleteness = _scores(task, answers, told=told)
            largest, default = scores.amax(1, keepdim=True), DEFAULT_THRESHOLD
        relative = scores / largest.clamp_min(torch.finfo(scores.dtype).tiny)
        threshold = hparams.adaptive_threshold or default
        most = hparams.max_neurons or DEFAULT_MAX_NEURONS

        def above(threshold: float) -> tuple[Scored, ...]:
            return strongest(coarse(relative, threshold=threshold), relative, most=most)

        found = above(threshold)
        if not found:
            raise NoNeuronsError(threshold=threshold, largest=scores.max().item())
        return Selection(found, incompleteness, threshold, above)

    def write(self, task: Task, neurons: Sequence[Scored], *, told: Told) -> list[LayerWrite]:
        units = by_layer(scored.neuron for scored in neurons)
        subject = cache(partial(Subject.of, task, list(units)))
        task = without_the_fact(task, subject)
        found = whitened(task, _prompts(task, subject), units)
        margin = self.search.margin(
            _lead(task),
            found.alike,
            written_rank=task.written_rank,
            respells=task.resident.encoder.respells,
        )
        wanted = Wanted.of(task.resident, task.new, task.ending, margin)
        texts = HeldTexts.of(task, found, exposure=self.search.exposure)
        task.hold(texts.held)
        return search_write(task.resident, wanted, found.directions, texts, self.search, told=told)


def _prompts(task: Task, subject: Callable[[], Subject]) -> list[list[Statement]]:
    """Each prompt with the new answer, in all its spellings; `subject` is asked where there may be
    two."""
    if not task.resident.encoder.respells:
        return [[statement] for statement in task.new]
    return [spelled(task.resident, statement, subject().name) for statement in task.new]


def _lead(task: Task) -> float:
    """By how many nats the model's own first token after the prompt leads."""
    logits = task.resident.next_logits(task.resident.encoder.prompt_ids(task.request.prompt))
    best: Tensor = logits.topk(2).values
    return (best[0] - best[1]).item()


def _scores(
    task: Task, answers: Sequence[Sequence[Statement]], *, told: Told
) -> tuple[Tensor, float]:
    """The largest attribution over the tokens of any answer, each token's relative to its largest
    neuron and averaged over the prompts, (n_layer, d_ff); and how far it is from whole."""
    attributed = [attribute(task.resident, answer, task.path, told=told) for answer in answers]
    means = [_mean_over_prompts([a.scores for a in answer]) for answer in attributed]
    return torch.cat(means).amax(0), worst_incompleteness(chain(*attributed))


def _mean_over_prompts(scores: Sequence[Tensor]) -> Tensor:
    """Scores (J, n_layer, d_ff) by prompt, each token's relative to its largest, averaged."""
    relative = [
        tokens / tokens.amax((1, 2), keepdim=True).clamp_min(torch.finfo(tokens.dtype).tiny)
        for tokens in scores
    ]
    return mean_by_token(relative)
