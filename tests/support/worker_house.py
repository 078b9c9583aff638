"""Real worker processes around one Redis and one store, for tests that kill and stop them."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from contract.ledger.ledger import Ledger, names
from contract.store.store import CheckpointStore
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission, Applied, Decision
from contract.wire.lifecycle import Phase
from contract.wire.views import EditView
from palimpsest.local.programs import Program
from palimpsest.local.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
ENTRY = ROOT / "tests/integration/slow_worker.py"
PATIENCE_S = 30.0
REQUEST = EditRequest(prompt="The capital of France is", target_new="Rome")
ADMISSION = Admission(
    decision=Decision.ADMIT,
    predicted_peak_bytes=0,
    budget_bytes=None,
    items=(),
    applied=Applied(layers_per_pass=2),
)


def wait_until(holds: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    """Look every 20 ms until `holds`; fails when it does not within the time."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError(f"did not come true within {within_s:g} s")


@dataclass
class Worker:
    """A worker's process and what it logged."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self) -> list[str]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line)["event"] for line in lines if line.startswith("{")]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(timeout=PATIENCE_S)


@dataclass
class House:
    """A Redis, a store, and the workers that were started."""

    redis: Redis
    redis_url: str
    data_dir: Path
    workers: list[Worker] = field(default_factory=list)
    _supervised: threading.Event | None = None

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.redis)
        self.store = CheckpointStore(self.data_dir / "store")

    def start(self, *, pause_s: float = 0.0, lease_s: float = 2.0, **settings: str) -> Worker:
        log = self.data_dir / f"worker-{len(self.workers)}.log"
        environment = self._environment(lease_s) | settings
        with log.open("wb") as stderr:
            process = subprocess.Popen(_command(pause_s), env=environment, stderr=stderr, cwd=ROOT)
        worker = Worker(process, log)
        self.workers.append(worker)
        wait_until(lambda: "worker_started" in worker.events())
        return worker

    def supervise(self, *, pause_s: float = 0.0, lease_s: float = 2.0, **settings: str) -> None:
        """Keep one worker running, as `palimpsest up` does."""
        program = Program(
            name="worker",
            argv=tuple(_command(pause_s)),
            environ=self._environment(lease_s) | settings,
            cwd=ROOT,
            log=self.data_dir / "supervised.log",
        )
        self._supervised = stopping = threading.Event()
        thread = threading.Thread(target=_tend, args=(program, stopping))
        thread.start()
        self._tending = thread
        wait_until(lambda: bool(self.ledger.presence.workers()))

    def _environment(self, lease_s: float) -> dict[str, str]:
        return {
            "REDIS_URL": self.redis_url,
            "PALIMPSEST_DATA_DIR": str(self.data_dir / "store"),
            "PALIMPSEST_LEASE_S": str(lease_s),
            "PALIMPSEST_PROBES": "0",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}",
        }

    def submit(self, **metadata: str) -> str:
        """Ask for an edit; `metadata` says how its engine is to break, see `faulty_editor`."""
        request = REQUEST.model_copy(update={"metadata": metadata})
        return self.ledger.submit(request, model="demo", admission=ADMISSION).edit_id

    def find(self, edit_id: str) -> EditView:
        view = self.ledger.find(edit_id)
        assert view is not None
        return view

    def wait_for_phase(self, edit_id: str, phase: Phase) -> None:
        wait_until(lambda: self.find(edit_id).phase is phase)

    def wait_for_end(self, edit_id: str, *, within_s: float = PATIENCE_S) -> EditView:
        wait_until(lambda: self.find(edit_id).status.is_final, within_s=within_s)
        return self.find(edit_id)

    def traces(self, edit_id: str) -> dict[str, Any]:
        """All that the service keeps of an edit."""
        return {
            "record": self.redis.hgetall(names.edit(edit_id)),
            "events": self.redis.xrange(names.events(edit_id)),
            "store": sorted(
                (str(path), path.read_bytes())
                for path in (self.data_dir / "store").rglob("*")
                if path.is_file()
            ),
        }

    def ends(self, edit_id: str) -> list[str]:
        events = self.ledger.events(edit_id)
        return [event.type for event in events if event.type in ("succeeded", "failed")]

    def manifests(self) -> list[str]:
        """The published checkpoints; of those withheld the manifest is empty."""
        files = (self.data_dir / "store/manifests").iterdir()
        return [path.stem for path in files if path.stat().st_size]

    def close(self) -> None:
        if self._supervised is not None:
            self._supervised.set()
            self._tending.join()
        for worker in self.workers:
            worker.process.kill()
            worker.process.wait()
            sys.stdout.write(worker.log.read_text())  # pytest shows it where a test fails
        self.redis.close()


def _command(pause_s: float) -> list[str]:
    return [sys.executable, str(ENTRY), str(pause_s)]


def _tend(program: Program, stopping: threading.Event) -> None:
    supervisor = Supervisor(tell=lambda _: None)
    supervisor.was_ready = True
    supervisor.add(program)
    while not stopping.wait(0.05):
        supervisor.tend()
    supervisor.kill_all()
