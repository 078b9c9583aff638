"""Whether admission is right: real requests through the service, to a worker held to a budget.

python -m bench.admission --data DIR [--requests 500] [--budget-mib 8] [--sabotage ITEM]

`DIR` holds CounterFact, ZsRE and WISE's long prompts (`counterfact-edit.json`,
`knowedit-zsre-500.json`, `wise-hallucination-edit.json`). An allocation past the budget fails as it
would on a card; `calibrated`, which looks at reference texts too, has 15 MiB more. Goal: no such
failure; no request refused that fits at one layer a pass; none reduced that would fit with one
more. `--sabotage ITEM` halves an item of the formula, on which the bar must fail. A small random
Llama on bytes; the API, Redis and the worker's code are real.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from redis import Redis
from starlette.testclient import TestClient
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from app.main import create_app
from bench.held import HeldEditor, PlentifulMemory
from bench.report import report
from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger
from contract.memory.items import Item, Stage
from contract.settings import Settings
from contract.store.store import CheckpointStore
from contract.wire.edits import EditRequest, Method
from contract.wire.estimates import Decision
from contract.wire.views import EditView
from palimpsest.facts.errors import UnusableFactError
from palimpsest.facts.facts import to_request
from palimpsest.local.redis_server import RedisServer, find_binary
from worker.attempt.failures import SERVICE_CODES, engine_codes
from worker.attempt.handback import defer, hand_back
from worker.attempt.resources import Resources
from worker.kn.model.resident import Resident
from worker.memory.monitor import Monitor
from worker.presence import announcement
from worker.presence.activity import Activity
from worker.presence.announcement import Identity
from worker.presence.fitness import Weights
from worker.tasks import run_edit

MODEL = "bytes"
FILES = {
    "counterfact-edit.json": 0.5,
    "knowedit-zsre-500.json": 0.3,
    "wise-hallucination-edit.json": 0.2,
}
STEERING = ("prompt", "target_new", "ground_truth", "subject", "rephrase_prompt")
METHODS = ("paper", "easyedit", "paper", "calibrated", "paper")
MIB = 2**20
FOR_REFERENCES_BYTES = 15 * MIB
formula: Any = import_module("contract.memory.estimate")  # the package's own name is the function's


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte, and BOS."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: i for i, name in enumerate(["<s>", "</s>", *letters])}
    found = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    found.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=found, bos_token="<s>", eos_token="</s>")


def editor() -> HeldEditor:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=64,
        intermediate_size=172,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
    )
    resident = Resident.of(LlamaForCausalLM(config), tokenizer())
    return HeldEditor(resident, measure_memory=False)


def requests(data: Path, number: int) -> Iterator[EditRequest]:
    """Records of each file, the methods in turn."""
    for name, share in FILES.items():
        records = json.loads((data / name).read_text(encoding="utf-8-sig"))
        taken = 0
        for n, record in enumerate(records):
            told = {field: record[field] for field in STEERING if record.get(field)}
            hparams = {"steps": (5, 10, 20)[n % 3], "adaptive_threshold": 0.3, "p": 0.0}
            given = {"method": METHODS[n % len(METHODS)], "hparams": hparams}
            try:
                request = to_request(told, overrides=given)
            except UnusableFactError:
                continue
            yield request
            taken += 1
            if taken >= round(share * number):
                break


@contextmanager
def redis_server(directory: Path) -> Iterator[Redis]:
    server = RedisServer(
        binary=find_binary(None), directory=directory, socket=directory / "redis.sock"
    )
    process = subprocess.Popen(server.argv, stdout=subprocess.DEVNULL)
    try:
        while not server.answers():
            time.sleep(0.05)
        yield Redis.from_url(server.url)
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def sabotaged(item: str | None) -> Iterator[None]:
    """The formula counts an item by half meanwhile."""
    usual = formula._largest

    def halved(stage: Stage) -> Stage:
        return Stage(name=stage.name, items=tuple(map(_halved, stage.items)))

    def _halved(part: Item) -> Item:
        n_bytes = part.n_bytes // 2 if part.name == item else part.n_bytes
        return Item(
            name=part.name, n_bytes=n_bytes, depends_on=part.depends_on, on_host=part.on_host
        )

    formula._estimate.cache_clear()
    if item is not None:
        formula._largest = lambda name, shape, moments, on_host: usual(
            name, shape, map(halved, moments), on_host=on_host
        )
    try:
        yield
    finally:
        formula._largest = usual
        formula._estimate.cache_clear()


class House:
    """The API over a ledger, and a worker that takes what is in line."""

    def __init__(self, redis: Redis, directory: Path, editor: HeldEditor, budget: int) -> None:
        self.ledger, self.editor = Ledger(redis), editor
        self.ledger.check_schema()
        store = CheckpointStore(directory / "store")
        store.check_writable()
        content = editor.tokenizer_json
        kept = store.put("tokenizer.json", content) if content else None
        sha256 = kept.sha256 if kept else None
        view = announcement.model_view(MODEL, editor, tokenizer_sha256=sha256)
        self.ledger.presence.publish_model(view)
        settings = Settings(data_dir=directory / "store")
        self.api = TestClient(
            create_app(settings, ledger=self.ledger, store=store), base_url="http://localhost"
        )
        attempts = Attempts(redis, lease_s=3600)
        queue = self.ledger.queue(MODEL)
        self.resources = Resources(
            worker_id="held",
            model=MODEL,
            editor=editor,
            attempts=attempts,
            record_of=self.ledger.record,
            store=store,
            activity=Activity(),
            monitor=self._monitor(budget),
            codes={**SERVICE_CODES, **engine_codes()},
            max_attempts=3,
            deadline=lambda left_s: nullcontext(),
            hand_back=partial(hand_back, attempts=attempts, queue=queue),
            defer=partial(defer, attempts=attempts, queue=queue),
            pause=lambda seconds: None,
            memory_wait_s=60.0,
            drop_connections=lambda: None,
            weights=Weights.of(editor.fingerprint),
        )
        self.allow(budget)

    def allow(self, budget: int) -> None:
        """From now on edits have so many bytes, and the worker says so."""
        self.budget_bytes = self.editor.held_to_bytes = budget
        self.resources = replace(self.resources, monitor=self._monitor(budget))
        self._announce()

    def _monitor(self, budget: int) -> Monitor:
        weights_bytes = self.editor.shape.weights_bytes
        return Monitor(PlentifulMemory(), weights_bytes=weights_bytes, cap_bytes=budget)

    def _announce(self) -> None:
        identity = Identity.of_this_process(model=MODEL, device="cpu", now_s=time.time())
        view = announcement.worker_view(
            identity, self.resources.activity, self.resources.monitor.look(), now_s=time.time()
        )
        self.ledger.presence.publish_worker(view, ttl_s=86_400)

    def run(self, request: EditRequest) -> dict[str, Any]:
        """A row: what was decided, how it ended, and whether that was right."""
        failed_before = self.editor.out_of_memory
        answer = self.api.post("/edits", json=request.model_dump(mode="json"))
        told = answer.json()
        row: dict[str, Any] = {"method": request.method.value, "prompt": request.prompt[:60]}
        if answer.status_code != 202:
            return row | self._refused(request, told["code"])
        run_edit(told["id"], self.resources)
        edit = self.ledger.find(told["id"])
        assert edit is not None
        row["out_of_memory"] = self.editor.out_of_memory - failed_before
        if edit.error is not None and edit.error.code == "memory_infeasible":
            return row | self._refused(request, edit.error.code)
        return row | self._ran(request, edit)

    def _refused(self, request: EditRequest, code: str) -> dict[str, Any]:
        row: dict[str, Any] = {"decision": "reject", "code": code}
        if code == "memory_infeasible":
            row["least_bytes"] = self._peak(request, layers=1)
            row["refused_though_it_fits"] = row["least_bytes"] <= self.budget_bytes
        return row

    def _ran(self, request: EditRequest, edit: EditView) -> dict[str, Any]:
        assert edit.admission is not None
        applied = edit.admission.applied.layers_per_pass
        row = {
            "decision": edit.admission.decision.value,
            "layers": applied,
            "code": edit.error.code if edit.error else None,
        }
        if edit.admission.decision is Decision.ADMIT_REDUCED:
            more_bytes = self._peak(request, layers=applied + 1)
            row["one_more_bytes"] = more_bytes
            row["reduced_though_it_fits"] = more_bytes <= self.budget_bytes
        return row

    def _peak(self, request: EditRequest, *, layers: int) -> int:
        parsed = self.editor.parse(request.model_dump(mode="json"))
        return self.editor.peak_bytes(parsed, layers_per_pass=layers)


def figures_of(rows: list[dict[str, Any]], *, sabotage: str | None) -> dict[str, Any]:
    """How many rows are wrong, and of which kind."""
    decisions = [row["decision"] for row in rows]
    found = {
        "bench": "admission",
        "sabotage": sabotage,
        "requests": len(rows),
        **{kind: decisions.count(kind) for kind in ("admit", "admit_reduced", "reject")},
        "out_of_memory": sum(row.get("out_of_memory", 0) for row in rows),
        "refused_though_it_fits": sum(row.get("refused_though_it_fits", False) for row in rows),
        "reduced_though_it_fits": sum(row.get("reduced_though_it_fits", False) for row in rows),
    }
    wrong = ("out_of_memory", "refused_though_it_fits", "reduced_though_it_fits")
    return {**found, "holds": not any(found[kind] for kind in wrong)}


def main() -> int:
    arguments = _arguments()
    rows = []
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(sabotaged(arguments.sabotage))
        redis = stack.enter_context(redis_server(directory))
        held = editor()
        budget = arguments.budget_mib * MIB
        house = House(redis, directory, held, budget)
        began = time.perf_counter()
        for n, request in enumerate(requests(arguments.data, arguments.requests)):
            searches = request.method is Method.CALIBRATED
            house.allow(budget + FOR_REFERENCES_BYTES * searches)
            rows.append(house.run(request))
            print(f"{n:3d} {time.perf_counter() - began:5.0f} s {rows[-1]}", file=sys.stderr)
    name = "admission" if arguments.sabotage is None else "admission-sabotaged"
    return report(name, rows, figures_of(rows, sabotage=arguments.sabotage))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--requests", type=int, default=500, metavar="N")
    parser.add_argument("--budget-mib", type=int, default=8, metavar="N")
    parser.add_argument("--sabotage", metavar="ITEM", help="count an item of the formula by half")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
