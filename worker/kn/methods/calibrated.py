"""The default method: neurons by attribution, a write that is only as strong as it must be.

In each chosen layer the columns of the chosen units change by B·A. The rows of A are fixed by the
activations k that the fact's prompts cause and by C, the second moment of reference activations:

    A_j = C⁻¹ k_j / (k_jᵀ C⁻¹ k_j)

so that the fact feels B in full and the reference text as little as any such write can. B is
then found by gradient descent until the new answer holds in every prompt with margin, while what
the model says of reference texts, a few at a step, and of protected prompts is held where it was.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from contract.memory import KEPT_TEXTS, KEPT_TOKENS_PER_TEXT
from worker.kn.adapter import LayerWrite
from worker.kn.attribution import Path, attribute, worst_incompleteness
from worker.kn.errors import NoNeuronsError
from worker.kn.layout import Block
from worker.kn.neuron import Scored, by_layer, coarse, strongest
from worker.kn.recipe import Selection, Task, Told
from worker.kn.recording import Trace, record
from worker.kn.references import activations
from worker.kn.resident import Resident
from worker.kn.statement import Batch, Statement, alike

DEFAULT_THRESHOLD = 0.02
DEFAULT_MAX_NEURONS = 4096
GRAM_RIDGE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How B is found."""

    ridge: float = 0.1  # of the mean diagonal of C, added to it
    learning_rate: float = 0.05  # per step, as a share of the residual stream's length
    most_steps: int = 60
    margin: float = 5.0  # nats that the new answer leads by, at every token
    keeping: float = 10.0  # what a nat of change on kept texts weighs


class Calibrated:
    """Neurons of the mean attribution over prompts; a whitened write found by search."""

    def __init__(self, search: Search | None = None) -> None:
        self.search = search or Search()

    def select(self, task: Task, *, told: Told) -> Selection:
        """Neurons that carry the old answer, or any token of the new one, in the mean of prompts.

        Where a prompt's answer has more tokens, the later ones speak from other neurons.
        """
        hparams = task.request.hparams
        threshold = hparams.adaptive_threshold or DEFAULT_THRESHOLD
        path = Path(quadrature=hparams.points, layers_per_pass=task.layers_per_pass)
        answers = (task.ground_truth, task.request.target_new)
        attributed = [
            attribute(task.resident, _statements(task, answer), path, told=told)
            for answer in dict.fromkeys(answers)
        ]
        scores = [_mean_over_prompts([a.scores for a in answer]) for answer in attributed]
        relative = torch.cat(scores).amax(0)  # (n_layer, d_ff)
        found = coarse(relative, threshold=threshold)
        if not found:
            raise NoNeuronsError(threshold=threshold, largest=relative.max().item())
        most = hparams.max_neurons or DEFAULT_MAX_NEURONS
        worst = max(worst_incompleteness(answer) for answer in attributed)
        return Selection(strongest(found, relative, most=most), worst)

    def write(self, task: Task, neurons: Sequence[Scored], *, told: Told) -> list[LayerWrite]:
        units = by_layer(scored.neuron for scored in neurons)
        statements = _statements(task, task.request.target_new)
        directions = _whitened(task, statements, units, ridge=self.search.ridge)
        kept = Kept.of(task)
        return _fit(task.resident, statements, directions, kept, self.search, told=told)


def _statements(task: Task, answer: str) -> list[Statement]:
    statement = task.resident.encoder.statement
    return [statement(prompt, answer) for prompt in task.request.steering_prompts]


def _mean_over_prompts(scores: Sequence[Tensor]) -> Tensor:
    """Scores (J, n_layer, d_ff) by prompt, each token's relative to its largest, averaged."""
    longest = max(len(tokens) for tokens in scores)
    relative = [
        tokens / tokens.amax((1, 2), keepdim=True).clamp_min(torch.finfo(tokens.dtype).tiny)
        for tokens in scores
        if len(tokens) == longest
    ]
    return torch.stack(relative).mean(0)


@dataclass(frozen=True, slots=True)
class Direction:
    """One layer's A, and the length of the residual stream there."""

    layer: int
    units: list[int]
    A: Tensor  # (J, k), float32
    length: float


def _whitened(
    task: Task, statements: Sequence[Statement], units: Mapping[int, list[int]], *, ridge: float
) -> list[Direction]:
    """A of every chosen layer, from the mean activations of the prompts."""
    traces = [record(task.resident, Batch.of([s], task.resident.device)).traces for s in statements]
    references = activations(task.resident, task.references, units)
    directions = []
    for layer, chosen in units.items():
        keys = _mean_keys([trace[layer] for trace in traces], chosen)  # (J, k)
        rows = references[layer]
        C = rows.T @ rows / len(rows)
        C.diagonal().add_(ridge * C.diagonal().mean().clamp_min(1e-12))
        A = _dual(keys, torch.linalg.solve(C, keys.T).T)
        length = traces[0][layer].mid.float().norm(dim=-1).mean().item()
        directions.append(Direction(layer, chosen, A, length))
    return directions


def _dual(keys: Tensor, white: Tensor) -> Tensor:
    """(K C⁻¹ Kᵀ)⁻¹ K C⁻¹, so that each answer token feels its own direction and no other's.

    Keys (J, k) may be almost parallel: a little of the diagonal keeps the inverse in bounds.
    """
    gram = keys @ white.T  # (J, J)
    gram.diagonal().mul_(1 + GRAM_RIDGE)
    solved: Tensor = torch.linalg.solve(gram, white)
    return solved


def _mean_keys(traces: Sequence[Trace], units: list[int]) -> Tensor:
    """The mean over prompts of the units' activations at each answer token, (J, k), float32."""
    longest = max(trace.hidden.shape[1] for trace in traces)
    alike_ = [t.hidden[0][:, units].float() for t in traces if t.hidden.shape[1] == longest]
    return torch.stack(alike_).mean(0)


@dataclass(frozen=True, slots=True)
class Kept:
    """Texts of which the model must go on saying what it says: the protected ones at every step,
    the references in turn."""

    protected: list[Sequence[int]]
    references: list[Sequence[int]]

    @classmethod
    def of(cls, task: Task) -> "Kept":
        prompt_ids = task.resident.encoder.prompt_ids
        return cls(
            protected=[prompt_ids(prompt) for prompt in task.request.protect_prompts],
            references=[text[:KEPT_TOKENS_PER_TEXT] for text in task.references],
        )

    def at(self, step: int) -> list[Sequence[int]]:
        n = len(self.references)
        turn = range(step * KEPT_TEXTS, step * KEPT_TEXTS + min(KEPT_TEXTS, n))
        return [*self.protected, *(self.references[i % n] for i in turn)]


def _fit(
    resident: Resident,
    statements: Sequence[Statement],
    directions: Sequence[Direction],
    kept: Kept,
    search: Search,
    *,
    told: Told,
) -> list[LayerWrite]:
    """Descend on −log P(new answer) until it leads by the margin everywhere."""
    d_model = resident.shape.d_model
    B = [d.A.new_zeros(d_model, len(d.A)).requires_grad_() for d in directions]
    scales = [d.length for d in directions]
    adam = torch.optim.Adam(
        [
            {"params": [b], "lr": search.learning_rate * s / d_model**0.5}
            for b, s in zip(B, scales, strict=True)
        ]
    )
    batches = [
        Batch.of([statements[i] for i in indexes], resident.device)
        for indexes in alike(statements, lambda s: len(s.answers), most=8)
    ]
    for step in range(search.most_steps):
        told(step, search.most_steps)
        adam.zero_grad()
        lead = _descend(resident, batches, directions, B)
        if lead >= search.margin:
            break
        _hold(resident, kept.at(step), directions, B, weight=search.keeping)
        adam.step()
    told(search.most_steps, search.most_steps)
    return [
        LayerWrite(d.layer, tuple(d.units), A=d.A, B=b.detach())
        for d, b in zip(directions, B, strict=True)
    ]


def _descend(
    resident: Resident,
    batches: Sequence[Batch],
    directions: Sequence[Direction],
    B: Sequence[Tensor],
) -> float:
    """Add the gradient of the loss; returns by how much the new answer leads, at its weakest."""
    lead = float("inf")
    for batch in batches:
        with torch.enable_grad(), written(resident, directions, B):
            hidden = resident.decoder(input_ids=batch.ids, use_cache=False).last_hidden_state
            logits = resident.head(batch.at_answers(hidden)).float()  # (S, J, n_vocab)
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), batch.answers.flatten().to(logits.device)
            )
            loss.backward()
        lead = min(lead, _lead(logits.detach(), batch.answers.to(logits.device)))
    return lead


def _hold(
    resident: Resident,
    texts: Sequence[Sequence[int]],
    directions: Sequence[Direction],
    B: Sequence[Tensor],
    *,
    weight: float,
) -> None:
    """Add the gradient of KL(unedited ‖ edited), the mean over the texts' positions."""
    longest = max(map(len, texts))
    ids = torch.tensor([[*t, *[0] * (longest - len(t))] for t in texts], device=resident.device)
    lengths = torch.tensor([len(t) for t in texts], device=resident.device)
    real = torch.arange(longest, device=resident.device) < lengths[:, None]  # (S, N)

    def log_shares() -> Tensor:
        hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state
        logits: Tensor = resident.head(hidden[real.to(hidden.device)]).float()
        return logits.log_softmax(-1)  # (positions, n_vocab)

    with torch.no_grad():
        before = log_shares()
    with torch.enable_grad(), written(resident, directions, B):
        moved = torch.nn.functional.kl_div(
            log_shares(), before, reduction="batchmean", log_target=True
        )
        (weight * moved).backward()


def _lead(logits: Tensor, answers: Tensor) -> float:
    """The smallest lead of the wanted token over the best other one."""
    wanted = logits.gather(-1, answers[..., None])
    others = logits.scatter(-1, answers[..., None], float("-inf")).amax(-1, keepdim=True)
    return (wanted - others).min().item()


@contextmanager
def written(
    resident: Resident, directions: Sequence[Direction], B: Sequence[Tensor]
) -> Iterator[None]:
    """The model computes as if B·A were added to its columns; gradients reach B."""
    with ExitStack() as hooked:
        for direction, b in zip(directions, B, strict=True):
            hooked.enter_context(_adding(resident.blocks[direction.layer], direction, b))
        yield


@contextmanager
def _adding(block: Block, direction: Direction, b: Tensor) -> Iterator[None]:
    def add(_: object, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        felt = inputs[0][..., direction.units].to(b.dtype) @ direction.A.T  # (S, N, J)
        return output + (felt @ b.T).to(output.dtype)

    handle = block.down.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()
