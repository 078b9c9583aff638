"""Reference texts, which edits should not affect, and the activations of chosen neurons on them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import torch
from torch import Tensor

from contract.memory import SAMPLED_TEXTS, SAMPLED_TOKENS, references_at_once
from worker.kn.errors import BadRequestError, NonFiniteError, PromptTooLongError
from worker.kn.model.generation import ends_of
from worker.kn.model.layout import Block
from worker.kn.model.resident import Resident
from worker.kn.model.statement import alike

SAMPLING_SEED = 20221


def read(file: Path) -> list[str]:
    """The prompts of a file, one a line; raises `BadRequestError` where it cannot be read, or
    holds none."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise BadRequestError(f"{file} cannot be read: {reason}") from error
    prompts = [line for line in lines if line.strip()]
    if not prompts:
        raise BadRequestError(f"{file} holds no reference prompt")
    return prompts


def encoded(resident: Resident, prompts: Sequence[str]) -> list[list[int]]:
    """Reference prompts of the user's own, as ids, none twice; raises `BadRequestError` where none
    has text, and `PromptTooLongError`."""
    if isinstance(prompts, str) or not all(isinstance(prompt, str) for prompt in prompts):
        raise BadRequestError("reference_prompts are not several texts")
    texts = [resident.encoder.prompt_ids(prompt) for prompt in prompts if prompt.strip()]
    if not texts:
        raise BadRequestError("reference_prompts hold no text")
    longest, most = max(map(len, texts)), resident.encoder.most_tokens
    if longest > most:
        raise PromptTooLongError(longest, most=most)
    return _distinct(texts)


@torch.no_grad()
def sampled(resident: Resident) -> list[list[int]]:
    """Texts that the model itself says, none twice, sampled at temperature 1 with a fixed seed;
    raises `NonFiniteError` of a model that overflows."""
    generator = torch.Generator(device="cpu").manual_seed(SAMPLING_SEED)
    ids = torch.tensor(_starts(resident, generator))
    cache = None
    for _ in range(SAMPLED_TOKENS):
        given = ids if cache is None else ids[:, -1:]
        output = resident.decoder(
            input_ids=given.to(resident.device), past_key_values=cache, use_cache=True
        )
        cache = output.past_key_values
        logits = resident.head(output.last_hidden_state[:, -1]).float().cpu()
        probs = logits.softmax(-1)
        if not probs.isfinite().all():
            raise _overflowed(resident.dtype)
        drawn = torch.multinomial(probs, 1, generator=generator)
        ids = torch.cat([ids, drawn], dim=1)
    ends = ends_of(resident)
    return _distinct(_until_end(row, ends) for row in ids.tolist())


def _overflowed(dtype: torch.dtype) -> NonFiniteError:
    if dtype in (torch.float16, torch.bfloat16):
        remedy = "load it in float32 (`--dtype float32`, PALIMPSEST_DTYPE=float32)"
    else:
        remedy = "its weights may be damaged"
    name = str(dtype).removeprefix("torch.")
    return NonFiniteError("a logit of the model", dtype=name, remedy=remedy)


def _starts(resident: Resident, generator: torch.Generator) -> list[list[int]]:
    """The token that each sampled text begins with: BOS, where the tokenizer has one.

    Where it has none, half of them follow an end of text, as documents do in training; the others
    begin as prompts do, with a token of their own.
    """
    if bos := resident.encoder.prompt_ids(""):
        return [bos] * SAMPLED_TEXTS
    end = resident.tokenizer.eos_token_id
    if not isinstance(end, int) or end >= resident.encoder.n_vocab:
        end = 0
    n_own = SAMPLED_TEXTS // 2
    own = list(islice(_openings(resident, generator), n_own)) or [end]
    return [[token] for token in (*islice(cycle(own), n_own), *[end] * (SAMPLED_TEXTS - n_own))]


def _openings(resident: Resident, generator: torch.Generator) -> Iterator[int]:
    """The tokens that a text can begin with, in random order."""
    tokenizer = resident.tokenizer
    for token in torch.randperm(resident.encoder.n_vocab, generator=generator).tolist():
        text = tokenizer.decode([token], skip_special_tokens=True)
        begins = bool(text) and text == text.lstrip()
        if begins and tokenizer.encode(text, add_special_tokens=False) == [token]:
            yield token


def _distinct(texts: Iterable[list[int]]) -> list[list[int]]:
    """Without duplicates: a text is preserved along directions fitted only to other texts."""
    return list(map(list, dict.fromkeys(map(tuple, texts))))


def _until_end(ids: list[int], ends: frozenset[int]) -> list[int]:
    stops = [i for i, token in enumerate(ids) if token in ends and i > 0]
    return ids[: stops[0] + 1] if stops else ids


@dataclass(frozen=True, slots=True)
class Activations:
    """Activations of chosen units at every position of some texts."""

    texts: Tensor  # (rows,): which text a row belongs to, on the CPU
    rows: Mapping[int, Tensor]  # by layer: (rows, k), float32


@torch.no_grad()
def activations(
    resident: Resident, texts: Sequence[Sequence[int]], units: Mapping[int, list[int]]
) -> Activations:
    """Run the texts once, those of one length together, and keep the units of `units` by layer."""
    found: dict[int, list[Tensor]] = {layer: [] for layer in units}
    belongs: list[Tensor] = []
    for indexes in alike(texts, len, most=references_at_once):
        ids = torch.tensor([list(texts[i]) for i in indexes], device=resident.device)
        with ExitStack() as watched:
            for layer, chosen in units.items():
                keep = _keeping(resident.blocks[layer], chosen, found[layer])
                watched.enter_context(keep)
            resident.decoder(input_ids=ids, use_cache=False)
        belongs.append(torch.tensor(indexes).repeat_interleave(ids.shape[1]))
    return Activations(torch.cat(belongs), {layer: torch.cat(r) for layer, r in found.items()})


@contextmanager
def _keeping(block: Block, units: list[int], rows: list[Tensor]) -> Iterator[None]:
    def keep(_: object, inputs: tuple[Tensor]) -> None:
        rows.append(inputs[0][..., units].flatten(0, -2).float())

    handle = block.down.register_forward_pre_hook(keep)
    try:
        yield
    finally:
        handle.remove()
