"""One request after another through the API, Redis and the worker's code."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from redis import Redis
from starlette.testclient import TestClient

from app.main import create_app
from bench.admission.budgeted_editor import BudgetedEditor, PlentifulMemory
from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger
from contract.settings import Settings
from contract.store.store import CheckpointStore
from contract.wire.edits import EditRequest
from contract.wire.estimates import Decision
from contract.wire.views import EditView
from palimpsest.local.redis_server import RedisServer, find_binary
from worker.attempt.engine import Engine
from worker.attempt.failures import SERVICE_CODES, engine_codes
from worker.attempt.handback import HeadOfQueue
from worker.attempt.limits import Limits
from worker.attempt.resources import Resources
from worker.memory.monitor import Monitor
from worker.presence.activity import Activity
from worker.presence.announcement import Announcement
from worker.presence.identity import Identity, worker_view
from worker.tasks import run_edit

MODEL = "bytes"
MIB = 2**20


@contextmanager
def redis_server(directory: Path) -> Iterator[Redis]:
    """A Redis that runs within the block."""
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


class Trial:
    """The API over a ledger, and a worker held to a budget, which runs what is queued."""

    def __init__(self, redis: Redis, directory: Path, editor: BudgetedEditor, budget: int) -> None:
        self.ledger, self.editor = Ledger(redis), editor
        self.ledger.check_schema()
        store = CheckpointStore(directory / "store")
        store.check_writable()
        presence = self.ledger.presence
        Announcement(name=MODEL, model=editor, presence=presence, store=store)()
        settings = Settings(data_dir=directory / "store")
        self.api = TestClient(
            create_app(settings, ledger=self.ledger, store=store), base_url="http://localhost"
        )
        attempts = Attempts(redis, lease_s=3600)
        head = HeadOfQueue(attempts, self.ledger.queue(MODEL))
        self.resources = Resources(
            worker_id="budgeted",
            model=MODEL,
            engine=Engine.of(
                editor,
                PlentifulMemory(),
                cap_bytes=budget,
                codes={**SERVICE_CODES, **engine_codes()},
            ),
            limits=Limits(
                max_attempts=3, memory_wait_s=60.0, deadline=lambda left_s: nullcontext()
            ),
            activity=Activity(),
            store=store,
            attempts=attempts,
            record_of=self.ledger.record,
            hand_back=head.hand_back,
            defer=head.defer,
            drop_connections=lambda: None,
            pause=lambda seconds: None,
        )
        self.allow(budget)

    def allow(self, budget: int) -> None:
        """Set the budget of edits from now on, and announce it."""
        self.budget_bytes = self.editor.allowed_bytes = budget
        weights_bytes = self.editor.shape.weights_bytes
        monitor = Monitor(PlentifulMemory(), weights_bytes=weights_bytes, cap_bytes=budget)
        engine = replace(self.resources.engine, monitor=monitor)
        self.resources = replace(self.resources, engine=engine)
        self._announce()

    def _announce(self) -> None:
        identity = Identity.of_this_process(model=MODEL, device="cpu", now_s=time.time())
        outlook = self.resources.engine.monitor.look()
        view = worker_view(identity, self.resources.activity, outlook, now_s=time.time())
        self.ledger.presence.publish_worker(view, ttl_s=86_400)

    def run(self, request: EditRequest) -> dict[str, Any]:
        """Run a request; returns the decision, how the edit ended, and whether that was right."""
        failed_before = self.editor.out_of_memory
        answer = self.api.post("/edits", json=request.model_dump(mode="json"))
        accepted = answer.json()
        row: dict[str, Any] = {"method": request.method.value, "prompt": request.prompt[:60]}
        if answer.status_code != 202:
            return row | self._refused(request, accepted["code"])
        run_edit(accepted["id"], self.resources)
        edit = self.ledger.find(accepted["id"])
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
