"""The published method, done right for causal models (Dai et al., ACL 2022).

Units are the inputs of `down_proj`; target tokens are teacher forced, without BOS; word embeddings
are the rows of `lm_head`, which is what the residual stream is read by.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.kn.collect.attribution import attribute
from worker.kn.collect.completeness import worst_incompleteness
from worker.kn.collect.neuron import Scored, by_layer, coarse, shared_by, strongest
from worker.kn.errors import NoNeuronsError
from worker.kn.methods.recipe import Selection, Task
from worker.kn.stopwatch import Progress
from worker.kn.write.adapter import LayerWrite

DEFAULT_THRESHOLD = 0.2
OLD_WEIGHT, NEW_WEIGHT = 1.0, 8.0  # λ1 and λ2 of the authors' code


class Paper:
    """Coarse neurons by threshold, refined by share; Δv_i = ‖v_i‖ · (−λ1·ê_old + λ2·ê_new)."""

    def select(self, task: Task, *, progress: Progress) -> Selection:
        hparams = task.request.hparams
        threshold = hparams.adaptive_threshold or DEFAULT_THRESHOLD
        attributed = attribute(task.resident, task.old, task.path, progress=progress)
        incompleteness = worst_incompleteness(attributed)
        scores = [attribution.scores.mean(0) for attribution in attributed]
        mean = torch.stack(scores).mean(0)

        def above(threshold: float) -> tuple[Scored, ...]:
            found = [coarse(score, threshold=threshold) for score in scores]
            refined = shared_by(found, share=hparams.p if hparams.refine else 0)
            return strongest(refined, mean, most=hparams.max_neurons)

        refined = above(threshold)
        if not refined:
            raise NoNeuronsError(threshold=threshold, largest=mean.max().item())
        return Selection(refined, incompleteness, threshold, above)

    def write(
        self, task: Task, neurons: Sequence[Scored], *, progress: Progress
    ) -> list[LayerWrite]:
        progress(0, 1)
        direction = _direction(task)[:, None]
        writes = []
        for layer, units in by_layer(scored.neuron for scored in neurons).items():
            values = task.resident.blocks[layer].down_weight[:, units]
            norms = values.float().norm(dim=0, keepdim=True)  # (1, k)
            writes.append(LayerWrite(layer, tuple(units), A=norms, B=direction.to(norms.device)))
        progress(1, 1)
        return writes


def _direction(task: Task) -> Tensor:
    """−λ1·ê_old + λ2·ê_new, (d_model,), each ê the unit mean of its tokens' unit embeddings."""
    rows = task.resident.head.weight.detach()
    old, new = (list(statements[0].answers) for statements in (task.old, task.new))
    return NEW_WEIGHT * _unit(rows[new]) - OLD_WEIGHT * _unit(rows[old])


def _unit(embeddings: Tensor) -> Tensor:
    """Embeddings (T, d_model) as one of length 1."""
    mean = torch.nn.functional.normalize(embeddings.float(), dim=-1).mean(0)
    return torch.nn.functional.normalize(mean, dim=0)
