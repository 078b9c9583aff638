"""The time of attribution: against EasyEdit's own code, against its floor, and by quadrature.

    python -m bench.collect --easyedit CHECKOUT [--model DIR PROMPT] …      (needs einops and tqdm)

A Llama with random weights: 12 layers, hidden 512, intermediate 1376 (Llama-2's ratio), 8 heads,
32,000 words, float32; 20 steps, one answer token, two threads of an idle machine. EasyEdit's
`get_scores` and `attribute`, with its unit and its steps, take turns, and their scores must agree
to 1e-5 of the largest. EasyEdit's best is its fastest batch size of 1, 5, 10 and 20 (at 80 tokens,
of 10 and 20). The floor is the time of `bench.engine.floor`'s products by `torch.matmul`, which
take turns with `attribute` as well; their time by oneDNN is reported, but not judged. All ratios
are of medians.

Gauss-Legendre is compared with 20 Riemann points by the largest error of any score, relative to the
largest score. The truth is 300 Riemann points and, since those have an error of their own, also 40
Gauss-Legendre points. `--model` adds a trained model, with a prompt that it has an answer to.
"""

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from bench.engine.easyedit import easyedit_kn
from bench.engine.floor import by_onednn, necessary, seconds_of
from bench.figures.report import report
from bench.tokenizers.words import text_of, word_tokenizer
from worker.kn import Resident
from worker.kn.collect.attribution import Path as IntegrationPath
from worker.kn.collect.attribution import Unit, attribute
from worker.kn.collect.quadrature import Quadrature, endpoints, gauss_legendre, riemann
from worker.kn.model.generation import continuations
from worker.kn.model.loading import load_resident
from worker.kn.model.statement import Statement

STEPS = 20
AGREEMENT = 1e-5
BATCH_SIZES = {20: (1, 5, 10, 20), 80: (10, 20)}  # by prompt tokens
MAX_POINTS = 7
SIZES: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 1376,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 256,
}


def main() -> int:
    """Measure all three; the last line holds the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--easyedit", type=Path, required=True, help="a checkout of EasyEdit")
    parser.add_argument(
        "--model",
        nargs=2,
        action="append",
        default=[],
        metavar=("DIR", "PROMPT"),
        help="a trained model, and a prompt that it answers",
    )
    parser.add_argument("--rounds", type=int, default=3, help="turns of EasyEdit")
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    resident = _resident(options.vocabulary)
    KnowledgeNeurons = easyedit_kn(options.easyedit)
    rows = []
    with resident.frozen():
        for prompt_tokens in BATCH_SIZES:
            subject = Subject.of(resident, prompt_tokens)
            rows += against_floor(subject)
            rows += against_easyedit(KnowledgeNeurons, subject, rounds=options.rounds)
        rows += by_quadrature("random", Subject.of(resident, 20))
    for directory, prompt in options.model:
        subject = Subject.of_own_answer(load_resident(Path(directory), dtype="float32"), prompt)
        with subject.resident.frozen():
            rows += by_quadrature(Path(directory).name, subject)
    return report("collect", rows, _figures(rows) | _setting(options))


def _setting(options: argparse.Namespace) -> dict[str, Any]:
    return {"vocabulary": options.vocabulary, "threads": options.threads}


@dataclass(frozen=True, slots=True)
class Subject:
    """One statement to attribute, as EasyEdit takes it and as we do."""

    resident: Resident
    prompt: str
    answer: str
    statement: Statement

    @classmethod
    def of(cls, resident: Resident, prompt_tokens: int) -> "Subject":
        random = Random(prompt_tokens)
        *ids, answer = (
            random.randrange(1, resident.shape.n_vocab) for _ in range(prompt_tokens + 1)
        )
        return cls(resident, text_of(ids), text_of([answer]), Statement.of(ids, (answer,)))

    @classmethod
    def of_own_answer(cls, resident: Resident, prompt: str) -> "Subject":
        """The model's own first token after the prompt."""
        answer = continuations(resident, [prompt], new_tokens=1)[0]
        ids = resident.encoder.prompt_ids(prompt)
        text = resident.tokenizer.decode(answer)
        return cls(resident, prompt, text, Statement.of(ids, tuple(answer)))

    def scores(self, quadrature: Quadrature, unit: Unit = Unit.HIDDEN) -> Tensor:
        path = IntegrationPath(
            quadrature=quadrature, unit=unit, layers_per_pass=len(self.resident.blocks)
        )
        return attribute(self.resident, [self.statement], path, progress=_ignore)[0].scores.mean(0)


def against_floor(subject: Subject, turns: int = 25) -> list[dict[str, Any]]:
    """Attribution and its products in turn, for either unit."""
    rows = []
    for unit in Unit:
        products = necessary(
            subject.resident,
            prompt_tokens=len(subject.statement.ids),
            steps=STEPS,
            gate=unit is Unit.GATE,
        )
        ours, floor, onednn = [], [], []
        for _ in range(turns):
            ours.append(_seconds(partial(subject.scores, riemann(STEPS), unit)))
            floor.append(seconds_of(products))
            onednn.append(seconds_of(products, by_onednn))
        rows.append(
            {
                "part": "floor",
                "prompt_tokens": len(subject.statement.ids),
                "unit": unit.value,
                "necessary_gflop": sum(product.n_flop for product in products) / 1e9,
                "gflop_per_s": sum(p.n_flop for p in products) / 1e9 / median(floor),
                "seconds": ours,
                "floor_seconds": floor,
                "floor_seconds_by_onednn": onednn,
                "times_floor": median(ours) / median(floor),
                "times_floor_best": min(ours) / min(floor),
                "times_floor_by_onednn": median(ours) / median(onednn),
            }
        )
        print(rows[-1], file=sys.stderr)
    return rows


def against_easyedit(
    KnowledgeNeurons: Any, subject: Subject, *, rounds: int
) -> list[dict[str, Any]]:
    """Each batch size of EasyEdit's, `rounds` times, each between two runs of ours."""
    theirs = KnowledgeNeurons(
        subject.resident.model, subject.resident.tokenizer, model_type="llama", device="cpu"
    )
    found = subject.scores(endpoints(STEPS), Unit.GATE)  # and kernels are made for its shapes
    rows = []
    for batch_size in BATCH_SIZES[len(subject.statement.ids)]:
        seconds, ours = [], []
        for _ in range(rounds):
            ours.append(_seconds(lambda: subject.scores(endpoints(STEPS), Unit.GATE)))
            began = time.perf_counter()
            expected = _their_scores(theirs, subject, batch_size)
            seconds.append(time.perf_counter() - began)
            ours.append(_seconds(lambda: subject.scores(endpoints(STEPS), Unit.GATE)))
        rows.append(
            {
                "part": "easyedit",
                "prompt_tokens": len(subject.statement.ids),
                "batch_size": batch_size,
                "seconds": ours,
                "easyedit_seconds": seconds,
                "times_faster": median(seconds) / median(ours),
                "scores_error": _error(found, expected),
            }
        )
        print(rows[-1], file=sys.stderr)
    return rows


def _their_scores(theirs: Any, subject: Subject, batch_size: int) -> Tensor:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        scores: Tensor = theirs.get_scores(
            subject.prompt, subject.answer, batch_size=batch_size, steps=STEPS, pbar=False
        ).detach()
    return scores


def by_quadrature(model: str, subject: Subject) -> list[dict[str, Any]]:
    """The error and the time of 20 Riemann points, then of Gauss-Legendre by number of points."""
    fine = {
        "riemann-300": subject.scores(riemann(300)),
        "gl-40": subject.scores(gauss_legendre(40)),
    }
    rules = [("riemann", STEPS, riemann(STEPS))]
    rules += [("gauss_legendre", m, gauss_legendre(m)) for m in range(1, MAX_POINTS + 1)]
    rows = []
    for name, points, rule in rules:
        seconds = [_seconds(partial(subject.scores, rule)) for _ in range(9)]
        errors = {truth: _error(subject.scores(rule), scores) for truth, scores in fine.items()}
        rows.append(
            {"part": "quadrature", "model": model, "rule": name, "points": points}
            | {"errors": errors, "seconds": seconds}
        )
        print(rows[-1], file=sys.stderr)
    return rows


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    easyedit = [row for row in rows if row["part"] == "easyedit"]
    floors = [row for row in rows if row["part"] == "floor" and row["prompt_tokens"] == 20]
    one, *best = [
        _times_faster(easyedit, prompt_tokens=n, batch_sizes=sizes)
        for n, sizes in ((20, (1,)), (20, BATCH_SIZES[20]), (80, BATCH_SIZES[80]))
    ]
    points = {model: _points_needed(rows, model) for model in _models(rows)}
    worst = torch.tensor([row["scores_error"] for row in easyedit]).max().item()  # NaN stays
    times_floor = max(row["times_floor"] for row in floors)
    return {
        "bench": "collect",
        "times_faster_than_batch_size_1": one,
        "times_faster_than_best_batch_size_at_20": best[0],
        "times_faster_than_best_batch_size_at_80": best[1],
        "times_floor": times_floor,
        "times_floor_by_onednn": max(row["times_floor_by_onednn"] for row in floors),
        "worst_scores_error": worst,
        "gauss_legendre": points,
        "holds": one >= 65
        and best[0] >= 23
        and best[1] >= 70
        and times_floor <= 1.2
        and worst <= AGREEMENT
        and all(point["points"] is not None for point in points.values()),
    }


def _times_faster(
    rows: list[dict[str, Any]], *, prompt_tokens: int, batch_sizes: tuple[int, ...]
) -> float:
    """Against the fastest of these batch sizes."""
    faster: list[float] = [
        row["times_faster"]
        for row in rows
        if row["prompt_tokens"] == prompt_tokens and row["batch_size"] in batch_sizes
    ]
    return min(faster)


def _models(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["model"] for row in rows if row["part"] == "quadrature"))


def _points_needed(rows: list[dict[str, Any]], model: str) -> dict[str, Any]:
    """The fewest points as accurate as Riemann's, by either truth, and the time they save."""
    first, *others = [row for row in rows if row.get("model") == model]
    enough = [
        row
        for row in others
        if all(row["errors"][truth] <= error for truth, error in first["errors"].items())
    ]
    if not enough:
        return {"points": None, "saves": None}
    fewest = min(enough, key=lambda row: row["points"])
    saves = 1 - median(fewest["seconds"]) / median(first["seconds"])
    return {"points": fewest["points"], "saves": saves}


def _resident(n_vocab: int) -> Resident:
    torch.manual_seed(0)
    config = LlamaConfig(**SIZES, vocab_size=n_vocab)
    return Resident.of(LlamaForCausalLM(config), word_tokenizer(n_vocab))


def _error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).abs().max() / expected.abs().max()).item()


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _ignore(done: int, total: int) -> None: ...


if __name__ == "__main__":
    sys.exit(main())
