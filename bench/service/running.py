"""The service as `palimpsest up` runs it, for benches that break and load it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis

from contract.ledger.ledger import Ledger
from contract.store.store import CheckpointStore
from contract.wire.edits import Method
from contract.wire.views import EditView
from palimpsest.client import Client
from palimpsest.demonstration import REQUEST as DEMONSTRATED
from palimpsest.errors import PalimpsestError
from palimpsest.local.addresses import free_port
from palimpsest.local.programs import Program
from palimpsest.local.redis_server import RedisServer, find_binary
from palimpsest.local.supervisor import Supervisor

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0
DEMO_MODEL = ROOT / ".demo/models/demo"
REQUEST = DEMONSTRATED.model_copy(update={"method": Method.PAPER})
"""Quick to make, so that recovery is timed and not the search for a write."""


def make_demo_model() -> Path:
    """The demo model's directory; it is trained unless it is there."""
    make = (sys.executable, "-m", "worker.demo", "--out", str(DEMO_MODEL))
    subprocess.run(make, cwd=ROOT, check=True, stdout=2)
    return DEMO_MODEL


def wait_until(holds: Callable[[], bool], *, within_s: float = PATIENCE_S) -> bool:
    """Check every 10 ms; returns whether it came true in time."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if holds():
            return True
        time.sleep(0.01)
    return False


class RunningService:
    """Redis, the API and workers, restarted by the supervisor of `palimpsest up`."""

    def __init__(
        self,
        root: Path,
        *,
        model_dir: Path | None,
        settings: dict[str, str],
        api_key: str | None = None,
    ) -> None:
        self.root = root
        self.orders = root / "orders"
        for directory in ("redis", "orders", "logs", "data"):
            (root / directory).mkdir()
        redis = root / "redis"
        self._server = RedisServer(
            binary=find_binary(os.environ.get("PATH")), directory=redis, socket=redis / "s"
        )
        port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{port}"
        self._environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": self._server.url,
            "PALIMPSEST_PORT": str(port),
            "PALIMPSEST_DATA_DIR": str(root / "data"),
            "PALIMPSEST_MODEL_DIR": str(model_dir or ""),
            "PALIMPSEST_MODEL_NAME": "demo",
            "FAULTS_DIR": str(self.orders),
            **settings,
        }
        self.redis = Redis.from_url(self._server.url, socket_timeout=5)
        self.ledger = Ledger(self.redis)
        self.store = CheckpointStore(root / "data")
        self.client = Client(self.url, api_key=api_key, timeout_s=30)
        self._supervisor = Supervisor(tell=lambda _: None)
        self._supervisor.was_ready = True
        self._asked: list[Callable[[], None]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise)

    def start(self, *programs: str) -> None:
        """Start Redis and the named programs: `api`, `worker`, `second` (another worker)."""
        self._thread.start()
        self.add("redis")
        assert wait_until(self._server.answers)
        for name in programs:
            self.add(name)

    def add(self, name: str) -> None:
        """Start one more program, and keep it running."""
        argv = {
            "redis": self._server.argv,
            "api": (sys.executable, "-m", "app"),
        }.get(name, (sys.executable, "-m", "bench.faults.breakable_worker"))
        program = Program(
            name=name,
            argv=argv,
            environ=self._environ,
            cwd=ROOT,
            log=self.root / "logs" / f"{name}.log",
            has_spare=name == "worker",
        )
        self._do(lambda: self._supervisor.add(program))

    def remove(self, name: str) -> None:
        self._do(lambda: self._supervisor.stop(name, grace_s=60, hurried=lambda: False))

    def pid(self, name: str) -> int | None:
        return self._supervisor.pid(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        pid = self.pid(name)
        assert pid is not None
        os.kill(pid, number)

    def is_ready(self, *, workers: int = 1) -> bool:
        """Whether the API answers and knows as many of the workers that run now."""
        pids = {self.pid(name) for name in ("worker", "second") if self._has(name)}
        try:
            found = [w for w in self.client.workers() if w.pid in pids]
        except PalimpsestError:
            return False
        return len(found) >= workers

    def order(self, at: str, do: str = "wait") -> None:
        """Tell the worker what to do at a point; see `bench.faults.breakable_worker`."""
        for left in ("reached", "go"):
            (self.orders / left).unlink(missing_ok=True)
        draft = self.orders / "draft"
        draft.write_text(json.dumps({"at": at, "do": do}))
        draft.rename(self.orders / "order")

    def reached(self) -> bool:
        return wait_until((self.orders / "reached").exists)

    def let_go(self) -> None:
        (self.orders / "go").touch()

    def engine_s(self) -> float:
        """The seconds that the worker has spent in its engine so far."""
        file = self.orders / "engine_s"
        return float(file.read_text()) if file.exists() else 0.0

    def submit(self) -> str:
        return self.client.edits.create(REQUEST).id

    def cancel(self, edit_id: str) -> tuple[EditView | None, float]:
        """Cancel an edit; what `ended` gives, and after how many seconds."""
        began_s = time.monotonic()
        self.client.edits.cancel(edit_id)
        return self.ended(edit_id), time.monotonic() - began_s

    def ended(self, edit_id: str, *, within_s: float = PATIENCE_S) -> EditView | None:
        """The edit once it is final, read from Redis; None if it is not final in time."""
        found: list[EditView] = []

        def is_final() -> bool:
            try:
                view = self.ledger.find(edit_id)
            except Exception:  # noqa: BLE001  Redis may be away
                return False
            if view is not None and view.status.is_final:
                found.append(view)
            return bool(found)

        return found[0] if wait_until(is_final, within_s=within_s) else None

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self.client.close()

    def _has(self, name: str) -> bool:
        return name in self._supervisor._children

    def _do(self, act: Callable[[], None]) -> None:
        """Act in the supervising thread: children end with the thread that started them."""
        done = threading.Event()
        self._asked.append(lambda: (act(), done.set()))  # type: ignore[func-returns-value, arg-type]
        assert done.wait(PATIENCE_S)

    def _supervise(self) -> None:
        while not self._stopping.wait(0.02):
            while self._asked:
                self._asked.pop(0)()
            self._supervisor.tend()
        self._supervisor.kill_all()


@contextmanager
def running_service(
    *,
    model_dir: Path | None,
    programs: tuple[str, ...] = ("api", "worker"),
    api_key: str | None = None,
    **settings: str,
) -> Iterator[RunningService]:
    """A service that is ready, in a directory of its own that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pal") as root:
        service = RunningService(
            Path(root), model_dir=model_dir, settings=settings, api_key=api_key
        )
        try:
            service.start(*programs)
            workers = sum(name not in ("api", "redis") for name in programs)
            assert wait_until(lambda: service.is_ready(workers=workers)), "it did not start"
            yield service
        finally:
            service.close()
