"""Asking a trained model for every answer."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from worker.demo.training import Example, encode_example, pad_batch

BATCH = 256


class Mark(NamedTuple):
    """How a model answers one example."""

    example: Example
    right: bool
    """Greedy generation gives the answer, its ending and `</s>`, and nothing else."""


def examine(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[Example],
    *,
    ending: str,
) -> list[Mark]:
    """Mark every example, in order."""
    chunks = [examples[start : start + BATCH] for start in range(0, len(examples), BATCH)]
    with torch.inference_mode():
        return [mark for chunk in chunks for mark in _mark(model, tokenizer, chunk, ending=ending)]


def _mark(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    examples: Sequence[Example],
    *,
    ending: str,
) -> Iterator[Mark]:
    """Greedy generation gives a text exactly when each of its tokens is the likeliest in turn."""
    sentences = [encode_example(tokenizer, example, ending) for example in examples]
    batch = pad_batch(tokenizer, [[]] * len(sentences), sentences, prompt_weight=0.0)
    logits = model(input_ids=batch.ids[:, :-1], use_cache=False).logits
    targets = batch.ids[:, 1:]  # (B, T−1)
    hits = (logits.argmax(-1) == targets) | (batch.weights[:, 1:] == 0)
    yield from map(Mark, examples, hits.all(dim=1).tolist())
