"""Redis, an API and workers under a supervisor, for benches that break and load them."""

import json
import os
import signal
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

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 90.0
REQUEST = DEMONSTRATED.model_copy(update={"method": Method.PAPER})
"""Quickly made, so that recovery is told and not the search."""


def wait_until(holds: Callable[[], bool], *, within_s: float = PATIENCE_S) -> bool:
    """Look every 10 ms; whether it came true in time."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if holds():
            return True
        time.sleep(0.01)
    return False


class House:
    """The whole service on this machine, its programs restarted as `palimpsest up` does it."""

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
        self._thread = threading.Thread(target=self._tend)

    def start(self, *programs: str) -> None:
        """Start Redis, and what else is named: `api`, `worker`, `second`."""
        self._thread.start()
        self.add("redis")
        assert wait_until(self._server.answers)
        for name in programs:
            self.add(name)

    def add(self, name: str) -> None:
        """Keep one more program running."""
        argv = {
            "redis": self._server.argv,
            "api": (sys.executable, "-m", "app"),
        }.get(name, (sys.executable, "-m", "bench.breakable_worker"))
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
        """The API answers, and so many workers that run now are known to it."""
        pids = {self.pid(name) for name in ("worker", "second") if self._has(name)}
        try:
            found = [w for w in self.client.workers() if w.pid in pids]
        except PalimpsestError:
            return False
        return len(found) >= workers

    def order(self, at: str, do: str = "wait") -> None:
        """Tell the worker what to do at a point; see `breakable_worker`."""
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
        """Seconds that the worker has spent in its engine so far."""
        file = self.orders / "engine_s"
        return float(file.read_text()) if file.exists() else 0.0

    def submit(self) -> str:
        return self.client.edits.create(REQUEST).id

    def ended(self, edit_id: str, *, within_s: float = PATIENCE_S) -> EditView | None:
        """The edit once it is final, read past the API; None when it is not in time."""
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
        """In the thread that tends: the kernel ends children with the thread that started them."""
        done = threading.Event()
        self._asked.append(lambda: (act(), done.set()))  # type: ignore[func-returns-value, arg-type]
        assert done.wait(PATIENCE_S)

    def _tend(self) -> None:
        while not self._stopping.wait(0.02):
            while self._asked:
                self._asked.pop(0)()
            self._supervisor.tend()
        self._supervisor.kill_all()


@contextmanager
def house(
    *,
    model_dir: Path | None,
    programs: tuple[str, ...] = ("api", "worker"),
    api_key: str | None = None,
    **settings: str,
) -> Iterator[House]:
    """A house that is ready, in a directory of its own that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="pal") as root:
        made = House(Path(root), model_dir=model_dir, settings=settings, api_key=api_key)
        try:
            made.start(*programs)
            workers = sum(name not in ("api", "redis") for name in programs)
            assert wait_until(lambda: made.is_ready(workers=workers)), "it did not start"
            yield made
        finally:
            made.close()
