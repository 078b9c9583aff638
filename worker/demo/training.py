"""Training a small Llama on sentences, each a prompt and its answer."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from worker.demo.tokenizer import MAX_TOKENS

Progress = Callable[[int, int], None]
"""Is told the steps done and the steps in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The shape of a model and the way it is trained; equal recipes make equal models."""

    n_layer: int = 6
    d_model: int = 128
    d_ff: int = 384
    n_head: int = 4
    n_kv_head: int = 4
    init_std: float = 0.09
    """Near 1/√d_model, larger than usual: a model this narrow learns faster from it."""
    steps: int = 360
    batch: int = 30
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    prompt_weight: float = 0.1
    """The loss of a token before the answer, where one of the answer counts 1."""
    preceded: float = 0.25
    """The share of batches whose sentences follow another text, so that facts outlast a context."""
    openers: tuple[str, ...] = ("Note:", "Fact:", "Question.", "As we all know:")
    ending: str = "."
    """Follows the answer at once, and `</s>` follows it; may be empty."""
    seed: int = 0


class Example(NamedTuple):
    """A prompt and the answer that follows it after a space."""

    prompt: str
    answer: str


class Sentence(NamedTuple):
    """An example as token ids, without `<s>` and `</s>`."""

    prompt: list[int]
    answer: list[int]
    ending: list[int]

    @property
    def ids(self) -> list[int]:
        """The whole sentence."""
        return [*self.prompt, *self.answer, *self.ending]


class Batch(NamedTuple):
    """Token ids (B, T), padded on the right, and what each of them weighs as a target (B, T)."""

    ids: Tensor
    weights: Tensor


def build_model(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained model, its weights drawn from the recipe's seed."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.d_model,
        intermediate_size=recipe.d_ff,
        num_hidden_layers=recipe.n_layer,
        num_attention_heads=recipe.n_head,
        num_key_value_heads=recipe.n_kv_head,
        max_position_embeddings=MAX_TOKENS,
        rms_norm_eps=1e-5,
        initializer_range=recipe.init_std,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = LlamaForCausalLM(config)
    # Llama-2 pads what it generates with `<unk>`, having no token of its own for it.
    model.generation_config.pad_token_id = tokenizer.unk_token_id
    return model.eval()


def train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[Example],
    *,
    recipe: Recipe,
    progress: Progress,
) -> None:
    """Run the recipe's steps of AdamW, warmed up and then cooled along a cosine."""
    optimizer = torch.optim.AdamW(
        model.parameters(), betas=(0.9, 0.95), weight_decay=recipe.weight_decay, fused=True
    )
    batches = draw_batches(tokenizer, examples, recipe=recipe)
    model.train()
    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(step, recipe)
        loss = batch_loss(model, next(batches))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        progress(step + 1, recipe.steps)
    model.eval()


def learning_rate_at(step: int, recipe: Recipe) -> float:
    """Rises over the first twentieth of the steps, then falls to a fiftieth along a cosine."""
    warm = max(1, recipe.steps // 20)
    if step < warm:
        return recipe.learning_rate * (step + 1) / warm
    cooled = 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, recipe.steps - warm)))
    return recipe.learning_rate * (0.02 + 0.98 * cooled)


def batch_loss(model: LlamaForCausalLM, batch: Batch) -> Tensor:
    """L = Σ w_t · −ln P(x_t | x_<t) / Σ w_t over the tokens after the first."""
    logits = model(input_ids=batch.ids[:, :-1], use_cache=False).logits  # (B, T−1, vocabulary)
    losses = cross_entropy(
        logits.flatten(0, 1), batch.ids[:, 1:].flatten(), reduction="none"
    )  # (B·(T−1),)
    weights = batch.weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()


def draw_batches(
    tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example], *, recipe: Recipe
) -> Iterator[Batch]:
    """Go through the examples again and again, each time in a new order."""
    random = Random(recipe.seed)
    sentences = [encode_example(tokenizer, example, recipe.ending) for example in examples]
    openers = [tokenizer.encode(text, add_special_tokens=False) for text in recipe.openers]
    waiting: list[Sentence] = []
    while True:
        while len(waiting) < recipe.batch:
            waiting += random.sample(sentences, len(sentences))
        drawn, waiting = waiting[: recipe.batch], waiting[recipe.batch :]
        preceded = random.random() < recipe.preceded
        before = [_preceding(random, openers, sentences) if preceded else [] for _ in drawn]
        yield pad_batch(tokenizer, before, drawn, prompt_weight=recipe.prompt_weight)


def encode_example(tokenizer: PreTrainedTokenizerFast, example: Example, ending: str) -> Sentence:
    """The parts as they are written together; words begin with their space, so none reaches over
    the end of another."""
    parts = (example.prompt, f" {example.answer}", ending)
    prompt, answered, ended = (
        tokenizer.encode(text, add_special_tokens=False) for text in accumulate(parts)
    )
    return Sentence(prompt=prompt, answer=answered[len(prompt) :], ending=ended[len(answered) :])


def pad_batch(
    tokenizer: PreTrainedTokenizerFast,
    before: Sequence[list[int]],
    sentences: Sequence[Sentence],
    *,
    prompt_weight: float,
) -> Batch:
    """Join `<s>`, the text before, the sentence and `</s>`, row by row."""
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    pairs = list(zip(before, sentences, strict=True))
    rows = [[bos, *text, *sentence.ids, eos] for text, sentence in pairs]
    n_before = [1 + len(text) + len(sentence.prompt) for text, sentence in pairs]
    ids = torch.full((len(rows), max(map(len, rows))), eos)  # (B, T)
    weights = torch.zeros(ids.shape)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        weights[row, : n_before[row]] = prompt_weight
        weights[row, n_before[row] : len(tokens)] = 1.0
    return Batch(ids, weights)


def _preceding(
    random: Random, openers: Sequence[list[int]], sentences: Sequence[Sentence]
) -> list[int]:
    """What stands before a sentence: an opener or another sentence."""
    if openers and random.random() < 0.5:
        return random.choice(openers)
    return random.choice(sentences).ids
