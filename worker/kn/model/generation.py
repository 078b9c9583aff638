"""What the model says when it generates freely and greedily."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import torch
from transformers import GenerationConfig

from contract.memory import PROMPTS_PER_BATCH
from worker.kn.errors import PromptTooLongError
from worker.kn.model.resident import Resident
from worker.kn.model.statement import alike
from worker.kn.model.wording import first_line


class Continuation(NamedTuple):
    """What greedy decoding adds to a prompt, up to the end of text."""

    ids: list[int]
    end: int | None = None
    """The token that ends the text; None where generation was cut."""

    @classmethod
    def of(cls, ids: list[int], ends: frozenset[int]) -> "Continuation":
        """From generated ids, which may go on after an end with padding."""
        for i, token in enumerate(ids):
            if token in ends:
                return cls(ids[:i], token)
        return cls(ids)


def continuations(
    resident: Resident, prompts: Sequence[str], *, new_tokens: int
) -> list[list[int]]:
    """The ids alone of what `continued` generates."""
    return [found.ids for found in continued(resident, prompts, new_tokens=new_tokens)]


@torch.no_grad()
def continued(resident: Resident, prompts: Sequence[str], *, new_tokens: int) -> list[Continuation]:
    """What greedy decoding adds to each prompt, at most `new_tokens` tokens.

    Prompts of equal length are run together, so that none is padded.
    """
    ids = [resident.encoder.prompt_ids(prompt) for prompt in prompts]
    found = [Continuation([])] * len(prompts)
    for indexes in alike(ids, len, most=PROMPTS_PER_BATCH):
        if (length := len(ids[indexes[0]]) + new_tokens) > resident.encoder.most_tokens:
            raise PromptTooLongError(length, most=resident.encoder.most_tokens)
        start = torch.tensor([ids[i] for i in indexes], device=resident.device)
        config = _greedy(resident, new_tokens)
        with _unpenalised(resident):
            whole = cast(Any, resident.model).generate(
                start, attention_mask=torch.ones_like(start), generation_config=config
            )
        for i, row in zip(indexes, whole[:, start.shape[1] :].tolist(), strict=True):
            found[i] = Continuation.of(row, ends_of(resident))
    return found


@contextmanager
def _unpenalised(resident: Resident) -> Iterator[None]:
    """Disable the model's own generation settings, such as penalties, in the block:
    `generate` takes from them whatever its arguments leave open."""
    model = cast(Any, resident.model)
    own, model.generation_config = model.generation_config, GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def text_of(resident: Resident, ids: Sequence[int]) -> str:
    """The first line of a continuation, trimmed."""
    return first_line(resident.tokenizer.decode(ids, skip_special_tokens=True))


def ends_of(resident: Resident) -> frozenset[int]:
    """The tokens at which the model ends a text: the model's own, and the tokenizer's."""
    own = cast(Any, resident.model).generation_config.eos_token_id
    ends = own if isinstance(own, list) else [own]
    return frozenset(e for e in (*ends, resident.tokenizer.eos_token_id) if e is not None)


def _greedy(resident: Resident, new_tokens: int) -> GenerationConfig:
    ends = sorted(ends_of(resident))
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=new_tokens,
        eos_token_id=ends or None,
        pad_token_id=0,  # whatever follows an end is cut off
    )
