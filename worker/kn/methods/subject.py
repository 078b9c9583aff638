"""A prompt's subject: the request's `subject` or, where none is given, the word that matters most.

That is the word before the prompt's last token on which the old answer depends most through the
written layers,

    argmax_n Σ_l ‖∂ log P / ∂ o_l(n)‖² ,   o_l(n) what the feed-forward puts out at position n
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from worker.kn.methods.descent import LOSS_SCALE
from worker.kn.methods.recipe import Task
from worker.kn.model.layout import Block
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement
from worker.kn.model.wording import goes_on, in_word, is_parted


class Subject(NamedTuple):
    """A word that identifies the subject in a text, and its whole name; both blank where the answer
    depends most on a token without text."""

    word: str
    name: str

    @classmethod
    def of(cls, task: Task, layers: Sequence[int]) -> "Subject":
        """The subject of a task's prompt; `layers` are those to be written."""
        if task.request.subject:
            named = task.request.subject.strip()
            return cls(named, named)
        text, start, end = _word(task.resident, task.old[0], layers)
        return cls(text[start:end].strip(), whole_name(text, start, end))


def whole_name(text: str, start: int, end: int) -> str:
    """The name that contains the word text[start:end]: everything between two spaces and, if it is
    capitalised, adjacent capitalised words not separated by a mark."""
    word = text[start:end].strip()
    if not word or not is_parted(word):
        return word
    places = list(re.finditer(r"\S+", text))
    words = [place.group() for place in places]
    first = last = next(i for i, place in enumerate(places) if place.end() >= end)
    while first > 0 and _are_one_name(words[first - 1], words[first]):
        first -= 1
    while last + 1 < len(words) and _are_one_name(words[last], words[last + 1]):
        last += 1
    return _bare(text[places[first].start() : places[last].end()])


def _are_one_name(word: str, other: str) -> bool:
    """Whether two words that follow each other are capitalised, with no mark between them."""
    capitalised = _bare(word)[:1].isupper() and _bare(other)[:1].isupper()
    return capitalised and in_word(word[-1]) and in_word(other[0])


def _bare(name: str) -> str:
    """Without the marks around it, and without a possessive's ending."""
    inside = [i for i, letter in enumerate(name) if in_word(letter)]
    bare = name[inside[0] : inside[-1] + 1] if inside else ""
    return bare.removesuffix("'s").removesuffix("\u2019s")


def _word(resident: Resident, statement: Statement, layers: Sequence[int]) -> tuple[str, int, int]:
    """A prompt's text, and where in it the word begins and ends on which the answer depends most;
    blank where that is a token that is no text."""
    prompt = statement.prompt
    at = most_depended_on(resident, statement, layers)
    text = resident.encoder.text(prompt)
    start = _length(resident, prompt, range(at, 0, -1), otherwise=0)
    end = _length(resident, prompt, range(at + 1, len(prompt)), otherwise=len(text))
    while goes_on(text[:start], text[start:]):
        start -= 1
    while goes_on(text[:end], text[end:]):
        end += 1
    return text, start, end


def _length(resident: Resident, prompt: Sequence[int], cuts: range, *, otherwise: int) -> int:
    """How long the text is up to the first of the cuts that parts no character's bytes."""
    texts = (resident.encoder.text(prompt[:cut]) for cut in cuts)
    return next((len(text) for text in texts if not text.endswith("\ufffd")), otherwise)


def most_depended_on(resident: Resident, statement: Statement, layers: Sequence[int]) -> int:
    """The position before the prompt's last on which the answer's first token depends most; the
    last where there is no other."""
    last = statement.positions[0]
    first = min(len(resident.encoder.prompt_ids("")), last)
    if first == last:
        return last
    ids = torch.tensor([statement.prompt], device=resident.device)
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
    """Add to `slopes`, in the backward pass, each position's squared gradient, (N,)."""

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
