"""What a prompt is about: the request's `subject` or, where none is given, what counts most.

That is the word before the prompt's last token on which the old answer depends most through the
written layers,

    argmax_n Σ_l ‖∂ log P / ∂ o_l(n)‖² ,   o_l(n) what the feed-forward puts out at position n
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from typing import NamedTuple

import torch
from torch import Tensor

from worker.kn.layout import Block
from worker.kn.methods.descent import LOSS_SCALE
from worker.kn.recipe import Task
from worker.kn.resident import Resident
from worker.kn.statement import Statement
from worker.kn.wording import goes_on


class Subject(NamedTuple):
    """A word by which a text tells of the subject, and its whole name; blank where a token that is
    no text counts most."""

    word: str
    name: str

    @classmethod
    def of(cls, task: Task, layers: Sequence[int]) -> "Subject":
        """The subject of a task's prompt; `layers` are those to be written."""
        if task.request.subject:
            return cls(task.request.subject, task.request.subject)
        word = subject_word(task.resident, task.old[0], layers)
        return cls(word, whole_name(task.request.prompt, word))


def whole_name(prompt: str, word: str) -> str:
    """A name of which a word is known, with the capitalised words right beside it."""
    if not word[:1].isupper():
        return word
    for run in re.findall(r"[\w-]+(?: [\w-]+)*", prompt):
        words = run.split()
        known = [i for i, found in enumerate(words) if word in found.split("-")]
        if known:
            before = takewhile(_in_name, reversed(words[: known[0]]))
            after = takewhile(_in_name, words[known[0] + 1 :])
            return " ".join([*reversed([*before]), words[known[0]], *after])
    return word


def _in_name(word: str) -> bool:
    return word[0].isupper()


def subject_word(resident: Resident, statement: Statement, layers: Sequence[int]) -> str:
    """What a prompt is about, as one word; blank where a token that is no text counts most."""
    prompt = statement.ids[: statement.positions[0] + 1]
    at = most_depended_on(resident, statement, layers)
    start, end = (len(resident.encoder.text(prompt[:n])) for n in (at, at + 1))
    text = resident.encoder.text(prompt)
    while goes_on(text[:start], text[start:]):
        start -= 1
    while goes_on(text[:end], text[end:]):
        end += 1
    return text[start:end].strip()


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
