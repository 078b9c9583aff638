"""Texts that tell of something else than the fact: only these are to be left alone.

What a model says of itself may be the fact that is to be changed, in another phrasing, and what an
earlier edit made it say is the fact itself where that is to be changed again. Held, such a text
would stand against the edit. It tells the fact where it says the old answer, and names what the
prompt is about: the request's `subject` or, where none is given, the word before the prompt's last
token on which the old answer depends most through the written layers,

    argmax_n Σ_l ‖∂ log P / ∂ o_l(n)‖² ,   o_l(n) what the feed-forward puts out at position n
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from worker.kn.layout import Block
from worker.kn.methods.descent import LOSS_SCALE
from worker.kn.recipe import Task
from worker.kn.resident import Resident
from worker.kn.statement import Statement
from worker.kn.wording import goes_on

Texts = Sequence[Sequence[int]]


def without_the_fact(task: Task, layers: Sequence[int]) -> Task:
    """The task without those references, and without what kept edits say, that tell its fact;
    `layers` are those to be written. Where all references do, they stay."""
    resident = task.resident
    answers = {_decoded(resident, statement.answers) for statement in task.old}
    answering = _saying([*task.references, *task.said], answers, resident)
    if not answering:
        return task
    subject = task.request.subject or subject_word(resident, task.old[0], layers)
    telling = _saying(answering, [subject], resident)
    references = [text for text in task.references if text not in telling]
    said = [text for text in task.said if text not in telling]
    return replace(task, references=references or task.references, said=said)


def subject_word(resident: Resident, statement: Statement, layers: Sequence[int]) -> str:
    """What a prompt is about, as one word; blank where a token that is no text counts most."""
    prompt = statement.ids[: statement.positions[0] + 1]
    at = most_depended_on(resident, statement, layers)
    start, end = (len(_decoded(resident, prompt[:n])) for n in (at, at + 1))
    text = _decoded(resident, prompt)
    while goes_on(text[:start], text[start:]):
        start -= 1
    while goes_on(text[:end], text[end:]):
        end += 1
    return text[start:end].strip()


def _saying(texts: Texts, words: Iterable[str], resident: Resident) -> Texts:
    """The texts that say any of the words, blank ones aside."""
    wanted = [word.strip() for word in words if word.strip()]
    return [text for text in texts if any(word in _decoded(resident, text) for word in wanted)]


def _decoded(resident: Resident, ids: Sequence[int]) -> str:
    return resident.tokenizer.decode(ids, skip_special_tokens=True).strip()


def most_depended_on(resident: Resident, statement: Statement, layers: Sequence[int]) -> int:
    """The position before the prompt's last on which the answer's first token depends most; the
    last where there is no other."""
    last = statement.positions[0]
    first = min(len(resident.encoder.prompt_ids("")), last)
    if first == last:
        return last
    ids = torch.tensor([statement.ids[: last + 1]], device=resident.device)
    slopes: list[Tensor] = []
    with torch.enable_grad(), ExitStack() as watched:
        for layer in layers:
            watched.enter_context(_watching(resident.blocks[layer], slopes))
        hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
        log_shares = resident.head(hidden).float().log_softmax(-1)
        (LOSS_SCALE * log_shares[0, statement.answers[0]]).backward()
    dependence = torch.stack([slope.cpu() for slope in slopes]).sum(0)
    return first + int(dependence[first:last].nan_to_num().argmax())


@contextmanager
def _watching(block: Block, slopes: list[Tensor]) -> Iterator[None]:
    """Adds to `slopes`, on the way back, each position's squared gradient, (N,)."""

    def note(gradient: Tensor) -> None:
        slopes.append(gradient[0].float().square().sum(-1))

    def watch(_: object, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        watched = output + output.new_zeros(()).requires_grad_()
        watched.register_hook(note)
        return watched

    handle = block.down.register_forward_hook(watch)
    try:
        yield
    finally:
        handle.remove()
