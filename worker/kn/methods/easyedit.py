"""EasyEdit's Knowledge Neurons for Llama, as shipped (commit 14cea82), quirks included.

For people who must compare. BOS is the first target token and its embedding is in the sum; between
target tokens the argmax token is decoded, appended to the prompt as text, and tokenised again; the
unit is `gate_proj`'s output; only the request's own prompt counts, so `p` never does.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from worker.kn.collect.attribution import Unit, attribute
from worker.kn.collect.completeness import worst_incompleteness
from worker.kn.collect.neuron import Scored, by_layer, coarse, strongest
from worker.kn.collect.quadrature import endpoints
from worker.kn.errors import NoNeuronsError
from worker.kn.methods.recipe import Selection, Task
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.stopwatch import Progress
from worker.kn.write.adapter import LayerWrite

DEFAULT_THRESHOLD = 0.2


class EasyEdit:
    """One coarse set by threshold; adds input embeddings of the target, subtracts the argmax's."""

    def select(self, task: Task, *, progress: Progress) -> Selection:
        hparams = task.request.hparams
        threshold = hparams.adaptive_threshold or DEFAULT_THRESHOLD
        steps, _ = _walk(task, task.ground_truth)
        # Only now are the prompts known: a token appended as text may come back as several.
        layers = task.attributing(steps) if task.attributing else task.layers_per_pass
        path = replace(
            task.path, quadrature=endpoints(hparams.steps), unit=Unit.GATE, layers_per_pass=layers
        )
        attributed = attribute(task.resident, steps, path, progress=progress)
        incompleteness = worst_incompleteness(attributed)
        scores = torch.cat([a.scores for a in attributed]).mean(0)

        def above(threshold: float) -> tuple[Scored, ...]:
            found = coarse(scores, threshold=threshold)
            return strongest(found, scores, most=hparams.max_neurons)

        found = above(threshold)
        if not found:  # EasyEdit reports success here, and has changed nothing
            raise NoNeuronsError(threshold=threshold, largest=scores.max().item())
        return Selection(found, incompleteness, threshold, above)

    def write(
        self, task: Task, neurons: Sequence[Scored], *, progress: Progress
    ) -> list[LayerWrite]:
        progress(0, 1)
        direction = _direction(task)[:, None]
        writes = [
            LayerWrite(layer, tuple(units), A=direction.new_ones(1, len(units)), B=direction)
            for layer, units in by_layer(scored.neuron for scored in neurons).items()
        ]
        progress(1, 1)
        return writes


def _direction(task: Task) -> Tensor:
    """Σ target embeddings − Σ argmax embeddings; a single argmax counts twice: (d_model,)."""
    target = task.resident.tokenizer.encode(task.request.target_new)
    _, said = _walk(task, task.request.target_new)
    wide = torch.promote_types(task.resident.dtype, torch.float32)
    rows = task.resident.embeddings.detach()
    lost = rows[said].to(wide).sum(0) * (2 if len(said) == 1 else 1)
    return rows[target].to(wide).sum(0) - lost


def _walk(task: Task, answer: str) -> tuple[list[Statement], list[int]]:
    return argmax_walk(task.resident, task.request.prompt, answer, walking=task.walking)


def argmax_walk(
    resident: Resident,
    prompt: str,
    answer: str,
    *,
    walking: Callable[[int], None] = lambda tokens: None,
) -> tuple[list[Statement], list[int]]:
    """For each target token, BOS first: the prompt so far with that token as its answer.

    Returns the statements, and the argmax token at each, whose text lengthens the prompt. `walking`
    is called with each prompt's length before it is run, and may raise.
    """
    statements, said = [], []
    for target in resident.tokenizer.encode(answer):
        ids = resident.tokenizer.encode(prompt)
        statement = resident.encoder.checked(Statement.of(ids, (target,)))
        walking(len(statement.ids))
        said.append(_argmax(resident, statement))
        statements.append(statement)
        prompt += resident.tokenizer.decode([said[-1]])
    return statements, said


@torch.no_grad()
def _argmax(resident: Resident, statement: Statement) -> int:
    ids = torch.tensor([statement.ids], device=resident.device)
    hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state
    return int(resident.head(hidden[0, -1]).argmax())
