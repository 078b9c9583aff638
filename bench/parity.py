"""The `easyedit` method against EasyEdit's own code.

    python -m bench.parity --easyedit CHECKOUT [--model DIR …]      (needs einops, tqdm and pyyaml)

Theirs is `apply_kn_to_model` as shipped, ours is `Editor.edit`: both whole, from request to edited
weights. On random models, Llamas with a BOS and Qwen2s without, and on any further model
directory. Targets and ground truths of one to four tokens, 1 and 20 steps. Holds when the same
neurons are chosen, except within 1e-6 (relative) of the threshold, when all columns of other
neurons agree within 1e-6 of their largest weight, and when the quirks that depend on the text
have occurred: a lengthened prompt that is retokenised to other ids, and a single argmax token.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, cast

import torch
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from bench.engine.easyedit import easyedit_kn_main
from bench.figures.report import report
from worker.demo.facts import FACTS
from worker.demo.tokenizer import build_tokenizer, words_in
from worker.kn import (
    Editor,
    EditRequest,
    HParams,
    Method,
    Neuron,
    NoChangeError,
    NoNeuronsError,
    Resident,
)
from worker.kn.methods.easyedit import argmax_walk
from worker.kn.model.loading import load_resident
from worker.kn.write.weights import edited

THRESHOLD = 0.2
TOLERANCE = 1e-6
REQUESTS = 20
STEPS = (1, 20)
SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "max_position_embeddings": 256,
    "initializer_range": 0.15,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to compare on; EasyEdit guesses the family from its name."""

    name: str
    resident: Resident


@dataclass(frozen=True, slots=True)
class Edited:
    """What an edit chose, and the down_proj weights that it left, by layer."""

    neurons: frozenset[Neuron]
    weights: list[Tensor]


class Theirs:
    """`apply_kn_to_model`, recording its scores and neurons; its arithmetic is untouched."""

    def __init__(self, checkout: Path) -> None:
        self._main = easyedit_kn_main(checkout)
        recorded: dict[str, Any] = {}
        self.recorded = recorded

        class Recording(self._main.KnowledgeNeurons):  # type: ignore[misc, name-defined]
            def get_scores(self, *args: Any, **kwargs: Any) -> Any:
                recorded["scores"] = super().get_scores(*args, **kwargs)
                return recorded["scores"]

            def get_refined_neurons(self, *args: Any, **kwargs: Any) -> Any:
                recorded["neurons"] = super().get_refined_neurons(*args, **kwargs)
                return recorded["neurons"]

        self._main.KnowledgeNeurons = Recording

    def edit(self, subject: Subject, request: EditRequest) -> tuple[Edited, Tensor]:
        """The edit, undone afterwards, and its scores (n_layer, d_ff)."""
        told = {
            "prompt": request.prompt,
            "ground_truth": request.ground_truth,
            "target_new": request.target_new,
        }
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            _, undo = self._main.apply_kn_to_model(
                subject.resident.model,
                subject.resident.tokenizer,
                [told],
                self._hparams(subject, request.hparams.steps),
            )
        weights = _down_weights(subject.resident)
        undo()
        neurons = frozenset(Neuron(*neuron) for neuron in self.recorded["neurons"])
        return Edited(neurons, weights), self.recorded["scores"].detach()

    def _hparams(self, subject: Subject, steps: int) -> Any:
        """Those of its `hparams/KN/*.yaml`, except that all steps are in one batch."""
        return self._main.KNHyperParams(
            alg_name="KN",
            model_name=subject.name,
            device="cpu",
            lr_scale=1.0,
            n_toks=10,
            refine=False,
            batch_size=steps,
            steps=steps,
            adaptive_threshold=THRESHOLD,
            p=0.4,
        )


def main() -> int:
    """Compare on every model, request and number of steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--easyedit", type=Path, required=True, help="a checkout of EasyEdit")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a Llama directory")
    options = parser.parse_args()
    theirs = Theirs(options.easyedit)
    rows = []
    for subject in (*_random_subjects(), *map(_subject_of, options.model)):
        for request in _requests(subject.resident.tokenizer):
            for steps in STEPS:
                rows.append(_compare(theirs, subject, _with_steps(request, steps)))
                print(rows[-1], file=sys.stderr)
    return report("parity", rows, _figures(rows))


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    lengths = {(row["truth_tokens"], row["target_tokens"]) for row in rows}
    figures = {
        "bench": "parity",
        "models": len({row["model"] for row in rows}),
        "comparisons": len(rows),
        "target_tokens": sorted({target for _, target in lengths}),
        "truth_tokens": sorted({truth for truth, _ in lengths}),
        "outcomes": {o: sum(r["outcome"] == o for r in rows) for o in {r["outcome"] for r in rows}},
        "neurons": sum(row["neurons"] for row in rows),
        "neurons_on_the_edge": sum(row["on_the_edge"] for row in rows),
        "neurons_that_differ_unexplained": sum(row["unexplained"] for row in rows),
        "prompts_retokenised_to_other_ids": sum(row["retokenised"] for row in rows),
        "single_argmax_tokens": sum(row["single_argmax"] for row in rows),
        "worst_scores_error": max(row["scores_error"] for row in rows),
        "worst_weights_error": max(row["weights_error"] for row in rows),
    }
    return figures | {"holds": _holds(figures, rows)}


def _holds(figures: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    return (
        figures["models"] >= 3
        and figures["target_tokens"] == figures["truth_tokens"] == [1, 2, 3, 4]
        and figures["prompts_retokenised_to_other_ids"] > 0
        and figures["single_argmax_tokens"] > 0
        and figures["neurons_that_differ_unexplained"] == 0
        and all(row["weights_error"] <= TOLERANCE for row in rows)  # not a number: not within
    )


def _random_subjects() -> Iterator[Subject]:
    with_bos = build_tokenizer(words_in(fact.object for fact in FACTS))
    without = build_tokenizer(words_in(fact.object for fact in FACTS))
    without.backend_tokenizer.post_processor = TemplateProcessing(single="$A", pair="$A $B")
    for dtype in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        mha = _config(LlamaConfig, with_bos, num_key_value_heads=4)
        gqa = _config(LlamaConfig, with_bos, num_key_value_heads=2, tie_word_embeddings=True)
        qwen = _config(Qwen2Config, without, num_key_value_heads=2)
        yield _random(f"llama-mha-untied-{name}", LlamaForCausalLM(mha).to(dtype), with_bos)
        yield _random(f"llama-gqa-tied-{name}", LlamaForCausalLM(gqa).to(dtype), with_bos)
        yield _random(f"qwen2-no-bos-{name}", Qwen2ForCausalLM(qwen).to(dtype), without)


def _config(kind: Any, tokenizer: Any, **changes: Any) -> Any:
    torch.manual_seed(20)  # a model is drawn next
    return kind(**SIZES | changes, vocab_size=len(tokenizer))


def _random(name: str, model: PreTrainedModel, tokenizer: Any) -> Subject:
    return Subject(name, Resident.of(model, tokenizer))


def _subject_of(directory: Path) -> Subject:
    resident = load_resident(directory, dtype="float32", device="cpu")
    family = cast(Any, resident.model).config.model_type
    return Subject(f"{family}: {directory.name}", resident)


def _requests(tokenizer: Any) -> Iterator[EditRequest]:
    """Targets and ground truths of one to four tokens, in many pairings."""
    random = Random(7)
    for n in range(REQUESTS):
        yield EditRequest(
            prompt=random.choice(FACTS).prompts[n % 3],
            ground_truth=_text_of(tokenizer, random, n // 4 % 4 + 1),
            target_new=_text_of(tokenizer, random, n % 4 + 1),
            method=Method.EASYEDIT,
        )


def _text_of(tokenizer: Any, random: Random, n_token: int) -> str:
    """A text that takes exactly so many tokens."""
    while True:
        text = tokenizer.decode(random.sample(range(300, len(tokenizer)), n_token)).strip()
        if text and len(_bare(tokenizer, text)) == n_token:
            return str(text)


def _bare(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False))


def _with_steps(request: EditRequest, steps: int) -> EditRequest:
    return replace(request, hparams=HParams(steps=steps, adaptive_threshold=THRESHOLD))


def _compare(theirs: Theirs, subject: Subject, request: EditRequest) -> dict[str, Any]:
    resident = subject.resident
    expected, scores = theirs.edit(subject, request)
    outcome, found, found_scores = _ours(resident, request)
    differing = expected.neurons ^ found.neurons
    edge = {neuron for neuron in differing if _on_the_edge(scores, neuron)}
    top = scores.max().item()
    return {
        "model": subject.name,
        "steps": request.hparams.steps,
        "truth_tokens": len(_bare(resident.tokenizer, request.ground_truth or "")),
        "target_tokens": len(_bare(resident.tokenizer, request.target_new)),
        "outcome": outcome,
        "neurons": len(expected.neurons),
        "on_the_edge": len(edge),
        "unexplained": len(differing - edge),
        "retokenised": _retokenised(resident, request),
        "single_argmax": len(resident.tokenizer.encode(request.target_new)) == 1,
        "scores_error": max(
            (abs(score - scores[n].item()) / top for n, score in found_scores.items()), default=0.0
        ),
        "weights_error": _weights_error(expected.weights, found.weights, passing=edge),
    }


def _ours(resident: Resident, request: EditRequest) -> tuple[str, Edited, dict[Neuron, float]]:
    """Our edit; one that is refused leaves the weights unchanged."""
    try:
        result = Editor(resident, reference_prompts=["a"]).edit(request)
    except (NoNeuronsError, NoChangeError) as error:
        return error.code, Edited(frozenset(), _down_weights(resident)), {}
    with edited(resident, result.adapter):
        weights = _down_weights(resident)
    scores = {scored.neuron: scored.score for scored in result.neurons}
    return "written", Edited(frozenset(scores), weights), scores


def _on_the_edge(scores: Tensor, neuron: Neuron) -> bool:
    edge = scores.max().item() * THRESHOLD
    return abs(scores[neuron].item() - edge) <= TOLERANCE * abs(edge)


def _retokenised(resident: Resident, request: EditRequest) -> int:
    """How often a lengthened prompt is tokenised into other ids than it had and the argmax."""
    statements, said = argmax_walk(resident, request.prompt, request.ground_truth or "")
    pairs = zip(statements, said, statements[1:], strict=False)
    return sum((*before.ids, token) != after.ids for before, token, after in pairs)


def _weights_error(expected: list[Tensor], found: list[Tensor], *, passing: set[Neuron]) -> float:
    """The largest difference within a column, relative to the column's largest weight; the
    columns of neurons in `passing` are ignored."""
    theirs, ours = torch.stack(expected), torch.stack(found)  # (n_layer, d_model, d_ff)
    tiny = torch.finfo(theirs.dtype).tiny
    error = (theirs - ours).abs().amax(1) / theirs.abs().amax(1).clamp_min(tiny)
    for neuron in passing:
        error[neuron] = 0
    return error.max().item()


def _down_weights(resident: Resident) -> list[Tensor]:
    return [block.down_weight.detach().clone() for block in resident.blocks]


if __name__ == "__main__":
    sys.exit(main())
