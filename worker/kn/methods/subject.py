"""Where a prompt names what it is about, and what its units do there, whatever comes before.

A fact is read where it is asked for, at the end of a prompt, and where its subject is named. Other
facts of the relation are asked for alike, other facts of the subject name it alike; both at once
are this fact's alone. So a write speaks a little at both.

The subject is looked for before the last position: where the old answer's first token depends most
on what the feed-forwards put out, by the sum over the written layers

    Σ_l ‖∂ log P / ∂ o_l(n)‖²

Its key is the mean over the prompts, each as it stands and behind some reference texts, as ROME
takes its keys (Meng et al., 2022, eq. 3): a name that begins a text is read otherwise than others.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from contract.memory import CONTEXT_TOKENS, CONTEXTS
from worker.kn.layout import Block
from worker.kn.recipe import Task
from worker.kn.references import activations
from worker.kn.resident import Resident
from worker.kn.statement import Statement

LOSS_SCALE = 64.0  # only where the gradient is largest counts: in float16 a larger one loses less


def subject_keys(task: Task, units: Mapping[int, list[int]]) -> dict[int, Tensor]:
    """The units' mean activations where the prompts name their subject: (k,) float32 by layer."""
    texts = [text for statement in task.old for text in _named(task, statement, list(units))]
    found = [activations(task.resident, [text], units).at_ends() for text in texts]
    return {layer: torch.stack([rows[layer][0] for rows in found]).mean(0) for layer in units}


def _named(task: Task, statement: Statement, layers: Sequence[int]) -> Iterator[Sequence[int]]:
    """A prompt as far as to its subject, as it stands and behind reference texts."""
    encoder = task.resident.encoder
    ids = statement.ids[: subject_position(task.resident, statement, layers) + 1]
    yield ids
    start = encoder.prompt_ids("")
    behind = ids[len(start) :] if list(ids[: len(start)]) == start else ids
    every = max(1, -(-len(task.references) // CONTEXTS))
    for context in task.references[every // 2 :: every]:
        text = [*context[:CONTEXT_TOKENS], *behind]
        if len(text) <= encoder.most_tokens:
            yield text


def subject_position(resident: Resident, statement: Statement, layers: Sequence[int]) -> int:
    """The position of the prompt, before its last, on which the answer's first token depends most
    through the layers; the last where there is no other."""
    last = statement.positions[0]
    first = min(len(resident.encoder.prompt_ids("")), last)
    if first == last:
        return last
    ids = torch.tensor([statement.ids[: last + 1]], device=resident.device)
    felt: list[Tensor] = []
    with torch.enable_grad(), ExitStack() as watched:
        for layer in layers:
            watched.enter_context(_watching(resident.blocks[layer], felt))
        hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
        shares = resident.head(hidden).float().log_softmax(-1)
        (LOSS_SCALE * shares[0, statement.answers[0]]).backward()
    most = torch.stack([squares.cpu() for squares in felt]).sum(0)[first:last]
    return first + int(most.nan_to_num().argmax())


@contextmanager
def _watching(block: Block, felt: list[Tensor]) -> Iterator[None]:
    """Adds to `felt`, on the way back, the square of each position's gradient, (N,)."""

    def note(gradient: Tensor) -> None:
        felt.append(gradient[0].float().square().sum(-1))

    def watch(_: object, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        output = output + output.new_zeros(()).requires_grad_()
        output.register_hook(note)
        return output

    handle = block.down.register_forward_hook(watch)
    try:
        yield
    finally:
        handle.remove()
