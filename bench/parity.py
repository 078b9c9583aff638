"""The `easyedit` method against EasyEdit's own code.

    python -m bench.parity --easyedit CHECKOUT      (needs einops and tqdm)

Random models; one to four target tokens; 1 and 20 steps. Holds when the same neurons are chosen,
save those within 1e-6 (relative) of the threshold, and the edited weights agree within 1e-6.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from bench.easyedit import easyedit_kn
from bench.report import report
from worker.demo.facts import FACTS
from worker.demo.tokenizer import build_tokenizer, words_in
from worker.kn import Editor, EditRequest, HParams, Method, NoNeuronsError, Resident
from worker.kn.attribution import Path as IntegrationPath
from worker.kn.attribution import Unit, attribute
from worker.kn.methods.easyedit import argmax_walk
from worker.kn.quadrature import endpoints
from worker.kn.weights import edited

THRESHOLD = 0.2
TOLERANCE = 1e-6
REQUESTS = 20
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
    """A model to compare on."""

    name: str
    dtype: torch.dtype
    changes: dict[str, Any]


SUBJECTS = (
    Subject("mha-untied-float32", torch.float32, {"num_key_value_heads": 4}),
    Subject(
        "gqa-tied-float32", torch.float32, {"num_key_value_heads": 2, "tie_word_embeddings": True}
    ),
    Subject("mha-untied-float64", torch.float64, {"num_key_value_heads": 4}),
)


def main() -> int:
    """Compare on every model, request and number of steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--easyedit", type=Path, required=True, help="a checkout of EasyEdit")
    KnowledgeNeurons = easyedit_kn(parser.parse_args().easyedit)
    torch.set_num_threads(2)
    tokenizer = build_tokenizer(words_in(fact.object for fact in FACTS))
    rows = []
    for subject in SUBJECTS:
        resident = _resident(subject, tokenizer)
        for request in _requests(tokenizer):
            for steps in (1, 20):
                rows.append(
                    {"model": subject.name, "steps": steps}
                    | _compare(KnowledgeNeurons, resident, request, steps)
                )
                print(rows[-1], file=sys.stderr)
    return report("parity", rows, _figures(rows))


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    worst = max(row["weights_error"] for row in rows)
    unexplained = sum(row["unexplained"] for row in rows)
    return {
        "bench": "parity",
        "comparisons": len(rows),
        "target_tokens": sorted({row["target_tokens"] for row in rows}),
        "neurons": sum(row["neurons"] for row in rows),
        "neurons_that_differ_unexplained": unexplained,
        "worst_scores_error": max(row["scores_error"] for row in rows),
        "worst_weights_error": worst,
        "holds": unexplained == 0 and worst <= TOLERANCE,
    }


def _resident(subject: Subject, tokenizer: Any) -> Resident:
    torch.manual_seed(len(subject.name))
    config = LlamaConfig(**SIZES | subject.changes, vocab_size=len(tokenizer))
    return Resident.of(LlamaForCausalLM(config).to(subject.dtype), tokenizer)


def _requests(tokenizer: Any) -> Iterator[EditRequest]:
    """Requests whose target has one to four tokens, five of each."""
    random = Random(7)
    for n in range(REQUESTS):
        fact = random.choice(FACTS)
        pieces = random.sample(range(300, len(tokenizer)), n % 4 + 1)
        truth = random.sample(range(300, len(tokenizer)), n % 4 + 1)
        yield EditRequest(
            prompt=fact.prompts[n % 3],
            ground_truth=tokenizer.decode(truth).strip() or "x",
            target_new=tokenizer.decode(pieces).strip() or "y",
            method=Method.EASYEDIT,
        )


def _compare(
    KnowledgeNeurons: Any, resident: Resident, request: EditRequest, steps: int
) -> dict[str, Any]:
    theirs = KnowledgeNeurons(resident.model, resident.tokenizer, model_type="llama", device="cpu")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        expected = theirs.get_scores(
            request.prompt, request.ground_truth, batch_size=steps, steps=steps, pbar=False
        ).detach()
    found = _scores(resident, request, steps)
    chosen = _chosen(expected)
    ours = _chosen(found)
    error = ((found - expected).abs().max() / expected.abs().max()).item()
    return {
        "target_tokens": len(resident.tokenizer.encode(request.target_new)) - 1,
        "neurons": len(chosen),
        "unexplained": sum(not _on_the_edge(expected, n) for n in chosen ^ ours),
        "scores_error": error,
        "weights_error": _weights_error(theirs, resident, request, steps, chosen),
    }


def _scores(resident: Resident, request: EditRequest, steps: int) -> Tensor:
    statements, _ = argmax_walk(resident, request.prompt, request.ground_truth or "")
    path = IntegrationPath(
        quadrature=endpoints(steps), unit=Unit.GATE, layers_per_pass=len(resident.blocks)
    )
    with resident.frozen():
        attributed = attribute(resident, statements, path, told=lambda done, total: None)
    return torch.cat([attribution.scores for attribution in attributed]).mean(0)


def _chosen(scores: Tensor) -> set[tuple[int, int]]:
    found = torch.nonzero(scores > scores.max().item() * THRESHOLD).tolist()
    return {(layer, unit) for layer, unit in found}


def _on_the_edge(scores: Tensor, neuron: tuple[int, int]) -> bool:
    edge = scores.max().item() * THRESHOLD
    return abs(scores[neuron].item() - edge) <= TOLERANCE * abs(edge)


def _weights_error(
    theirs: Any, resident: Resident, request: EditRequest, steps: int, chosen: set[tuple[int, int]]
) -> float:
    """The largest difference of any edited weight, relative to the largest edited weight."""
    hparams = HParams(steps=steps, adaptive_threshold=THRESHOLD)
    try:
        result = Editor(resident, reference_prompts=["a"]).edit(
            EditRequest(
                prompt=request.prompt,
                ground_truth=request.ground_truth,
                target_new=request.target_new,
                method=Method.EASYEDIT,
                hparams=hparams,
            )
        )
    except NoNeuronsError:
        return 0.0 if not chosen else float("inf")
    neurons = [list(n) for n in sorted(chosen)]
    with contextlib.redirect_stdout(io.StringIO()):
        _, undo = theirs.edit_knowledge(
            request.prompt,
            target=request.target_new,
            neurons=neurons,
            undo_modification=False,
            quiet=True,
        )
    expected = [block.down_weight.detach().clone() for block in resident.blocks]
    undo()
    with edited(resident, result.adapter):
        errors = [
            (block.down_weight - e).abs().max() / e.abs().max()
            for block, e in zip(resident.blocks, expected, strict=True)
        ]
    return max(error.item() for error in errors)


if __name__ == "__main__":
    sys.exit(main())
