"""The default method: neurons by attribution, a write no stronger than necessary.

Three steps: select the neurons that carry the old or the new answer, averaged over the prompts;
find one direction per answer token in each layer that has any (`worker.kn.methods.whitening`), to
which the fact responds fully and other text hardly; and find the values written along those
directions by descent, until the new answer leads by a margin (`worker.kn.methods.search`).
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import chain

import torch
from torch import Tensor

from contract.memory import DEFAULT_MAX_NEURONS
from worker.kn.collect.attribution import attribute
from worker.kn.collect.completeness import worst_incompleteness
from worker.kn.collect.neuron import Scored, by_layer, coarse, strongest
from worker.kn.errors import NoNeuronsError
from worker.kn.methods.fact_texts import excluding_fact
from worker.kn.methods.means import mean_by_token
from worker.kn.methods.preserving import PreservedTexts
from worker.kn.methods.recipe import Selection, Task
from worker.kn.methods.search import Search, search_write
from worker.kn.methods.spelling import spelled
from worker.kn.methods.subject import Subject
from worker.kn.methods.target import Target
from worker.kn.methods.whitening import whitened
from worker.kn.model.statement import Statement
from worker.kn.request import Operation
from worker.kn.stopwatch import Progress
from worker.kn.write.adapter import LayerWrite

DEFAULT_THRESHOLD = 0.002  # of the largest attribution in the neuron's own layer
ERASE_THRESHOLD = 0.05  # of the largest attribution of all


class Calibrated:
    """Neurons of the mean attribution over prompts; a whitened write found by search."""

    def __init__(self, search: Search | None = None) -> None:
        self.search = search or Search()

    def select(self, task: Task, *, progress: Progress) -> Selection:
        """Neurons that carry the old answer or, in an edit, any token of the new one.

        An answer's later tokens depend on other neurons than its first. In an edit, a neuron is
        compared with the largest of its layer: otherwise one early unit that every input passes
        through would hide the layers that tell facts apart. An erased neuron cannot be rewritten,
        so an erase compares with the largest of all layers.
        """
        hparams = task.request.hparams
        if task.request.operation is Operation.ERASE:
            scores, incompleteness = _scores(task, [task.old], progress=progress)
            largest, default = scores.max(), ERASE_THRESHOLD
        else:
            answers = [task.old] if task.old == task.new else [task.old, task.new]
            scores, incompleteness = _scores(task, answers, progress=progress)
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

    def write(
        self, task: Task, neurons: Sequence[Scored], *, progress: Progress
    ) -> list[LayerWrite]:
        units = by_layer(scored.neuron for scored in neurons)
        subject = cache(partial(Subject.of, task, list(units)))
        task = excluding_fact(task, subject)
        found = whitened(task, _prompts(task, subject), units)
        margin = self.search.margin(
            _lead(task),
            found.similarity,
            written_rank=task.written_rank,
            respells=task.resident.encoder.respells,
        )
        target = Target.of(task.resident, task.new, task.ending, margin)
        texts = PreservedTexts.of(task, found, exposure=self.search.exposure)
        task.preserve(texts.batches)
        return search_write(
            task.resident, target, found.directions, texts, self.search, progress=progress
        )


def _prompts(task: Task, subject: Callable[[], Subject]) -> list[list[Statement]]:
    """Each prompt with the new answer, in all its spellings; `subject` is called where there may be
    two."""
    if not task.resident.encoder.respells:
        return [[statement] for statement in task.new]
    return [spelled(task.resident, statement, subject().name) for statement in task.new]


def _lead(task: Task) -> float:
    """By how many nats the model's most likely next token after the prompt leads."""
    logits = task.resident.next_logits(task.resident.encoder.prompt_ids(task.request.prompt))
    best: Tensor = logits.topk(2).values
    return (best[0] - best[1]).item()


def _scores(
    task: Task, answers: Sequence[Sequence[Statement]], *, progress: Progress
) -> tuple[Tensor, float]:
    """Attribution relative to each token's largest neuron, averaged over prompts, and its maximum
    over the tokens of all answers (n_layer, d_ff); and the worst incompleteness."""
    attributed = [
        attribute(task.resident, answer, task.path, progress=progress) for answer in answers
    ]
    means = [_mean_over_prompts([a.scores for a in answer]) for answer in attributed]
    return torch.cat(means).amax(0), worst_incompleteness(chain(*attributed))


def _mean_over_prompts(scores: Sequence[Tensor]) -> Tensor:
    """The mean over prompts of scores (J, n_layer, d_ff), each token's relative to its largest."""
    relative = [
        tokens / tokens.amax((1, 2), keepdim=True).clamp_min(torch.finfo(tokens.dtype).tiny)
        for tokens in scores
    ]
    return mean_by_token(relative)
