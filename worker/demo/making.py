"""Making the demo model: teach the facts, ask for all of them, keep the result."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from worker.demo.errors import ForgottenFactsError
from worker.demo.exam import examine
from worker.demo.facts import FACTS
from worker.demo.folder import check_replaceable, check_writable, holds, publish
from worker.demo.requests import edit_requests
from worker.demo.tokenizer import build_tokenizer, words_in
from worker.demo.training import Example, Progress, Recipe, build_model, train

DEMO = Recipe()
REQUESTS = "facts.json"
EXAMPLES: tuple[Example, ...] = tuple(
    Example(prompt, fact.object) for fact in FACTS for prompt in fact.prompts
)

_LESSONS_MORE = 3


class Taught(NamedTuple):
    """A model that gives all the answers, and its tokenizer."""

    model: LlamaForCausalLM
    tokenizer: PreTrainedTokenizerFast


def make_demo(directory: Path, *, progress: Progress, recipe: Recipe = DEMO) -> Path:
    """Fill the directory with the demo model, unless it holds that very model already."""
    digest = digest_of(recipe, EXAMPLES)
    if not holds(directory, digest):
        check_replaceable(directory)
        check_writable(directory)
        taught = teach(EXAMPLES, recipe, progress=progress)
        publish(directory, digest, write=lambda fresh: save(taught, fresh))
    return directory


def digest_of(recipe: Recipe, examples: Sequence[Example]) -> str:
    """A digest of all that the weights and the requests are made from."""
    made_from = [asdict(recipe), examples, [request.to_json() for request in edit_requests()]]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def teach(
    examples: Sequence[Example],
    recipe: Recipe,
    *,
    progress: Progress,
    tokenizer: PreTrainedTokenizerFast | None = None,
) -> Taught:
    """Train until every answer is right, with a few short lessons more where need be.

    The tokenizer is one for the words of the examples, unless another is given.
    """
    if tokenizer is None:
        texts = [text for example in examples for text in example]
        tokenizer = build_tokenizer(words_in([*texts, *recipe.openers]))
    model = build_model(recipe, tokenizer)
    lesson = recipe
    for _ in range(1 + _LESSONS_MORE):
        train(model, tokenizer, examples, recipe=lesson, progress=progress)
        marks = examine(model, tokenizer, examples, ending=recipe.ending)
        wrong = [mark.example.prompt for mark in marks if not mark.right]
        if not wrong:
            return Taught(model, tokenizer)
        lesson = repetition(lesson)
    raise ForgottenFactsError(wrong)


def repetition(lesson: Recipe) -> Recipe:
    """A third of the steps at a third of the rate, in another order."""
    return replace(
        lesson,
        steps=max(1, lesson.steps // 3),
        learning_rate=lesson.learning_rate / 3,
        seed=lesson.seed + 1,
    )


def save(taught: Taught, directory: Path) -> None:
    """Write the model, its tokenizer and the edit requests to try out."""
    taught.model.save_pretrained(directory)
    taught.tokenizer.save_pretrained(directory)
    requests = [request.to_json() for request in edit_requests()]
    (directory / REQUESTS).write_text(json.dumps(requests, indent=1) + "\n")
