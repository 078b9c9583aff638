"""Redis, the worker and the API of one data directory, started and stopped together."""

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from contract.keys import entry_of, new_key
from contract.settings import PREFIX
from palimpsest.client import Client
from palimpsest.errors import PalimpsestError
from palimpsest.local.addresses import url_of
from palimpsest.local.data_dir import DataDir
from palimpsest.local.interrupts import Interrupts
from palimpsest.local.programs import Program
from palimpsest.local.redis_server import RedisServer, find_binary, socket_path
from palimpsest.local.supervisor import GRACE_S, Supervisor, wait_until
from palimpsest.terminal.console import Console

REDIS, WORKER, API = "redis", "worker", "api"
KEYS, KEYS_FILE = PREFIX + "API_KEYS", PREFIX + "API_KEYS_FILE"
PACKAGES = Path(__file__).resolve().parents[2]
"""Where `worker` and `app` lie; the caller's directory may hold other things of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is served, and where."""

    model: str
    host: str
    port: int
    data_dir: DataDir
    environ: Mapping[str, str]
    """Of the worker and the API, but for REDIS_URL where we start Redis ourselves."""

    @property
    def url(self) -> str:
        return url_of(self.host, self.port)


class Stack:
    """The three programs under one supervisor."""

    def __init__(self, site: Site, console: Console, interrupts: Interrupts) -> None:
        self._site = site
        self._console = console
        self._interrupts = interrupts
        self._supervisor = Supervisor(tell=console.note)

    def run(self, *, on_ready: Callable[[], None]) -> None:
        """Serve until interrupted; raises `GivenUpError` when a program cannot work."""
        with ExitStack() as undo:
            undo.callback(self._supervisor.kill_all)
            redis_url = self._site.environ.get("REDIS_URL")
            if not redis_url:
                directory = undo.enter_context(socket_path(self._site.data_dir.redis))
                redis_url = self._start_redis(directory)
            self._serve(redis_url, on_ready)
            self._stop()

    def _start_redis(self, socket: Path) -> str:
        site = self._site
        server = RedisServer(
            binary=find_binary(site.environ.get("PATH")),
            directory=site.data_dir.redis,
            socket=socket,
        )
        self._supervisor.add(self._program(REDIS, server.argv, site.environ))
        self._wait_until(server.answers)
        return server.url

    def _serve(self, redis_url: str, on_ready: Callable[[], None]) -> None:
        if self._interrupts.asked_to_stop:
            return
        own_key = new_key()
        environ = _with_key(self._site.environ, own_key) | {"REDIS_URL": redis_url}
        for name, package in ((WORKER, "worker"), (API, "app")):
            argv = (sys.executable, "-m", package)
            self._supervisor.add(self._program(name, argv, environ))
        with Client(self._site.url, api_key=own_key, timeout_s=2.0) as client:
            ready = self._wait_until(lambda: self._is_ready(client))
        if ready:
            self._supervisor.was_ready = True
            on_ready()
            self._wait_until(lambda: False)

    def _is_ready(self, client: Client) -> bool:
        """The API takes edits, and it sees the very worker that we started."""
        self._console.progress(f"waiting for the worker to load {self._site.model}")
        pid = self._supervisor.pid(WORKER)
        try:
            return client.is_ready() and any(
                worker.pid == pid and worker.model == self._site.model
                for worker in client.workers()
            )
        except PalimpsestError:
            return False  # it is not there yet; what keeps it away is in its log

    def _stop(self) -> None:
        """The API first, so that nothing new comes; Redis last, which the worker drains into."""
        note = self._console.note
        note("stopping")
        hurry = self._interrupts
        self._supervisor.stop(API, grace_s=GRACE_S, hurried=lambda: hurry.asked_to_hurry)
        self._console.progress("the worker ends what it does; Ctrl-C again to cut it short")
        self._supervisor.stop(WORKER, grace_s=None, hurried=lambda: hurry.asked_to_hurry)
        self._supervisor.stop(REDIS, grace_s=GRACE_S, hurried=lambda: False)
        note("stopped")

    def _wait_until(self, done: Callable[[], bool]) -> bool:
        return wait_until(
            done, supervisor=self._supervisor, interrupted=lambda: self._interrupts.asked_to_stop
        )

    def _program(self, name: str, argv: tuple[str, ...], environ: Mapping[str, str]) -> Program:
        log = self._site.data_dir.log(name)
        return Program(
            name=name,
            argv=argv,
            environ=environ,
            cwd=PACKAGES,
            log=log,
            has_spare=name == WORKER,  # whose libraries take longer to load than a small model
        )


def _with_key(environ: Mapping[str, str], key: str) -> dict[str, str]:
    """The settings, with a key by which this process looks at the worker where keys are asked for.

    It lives as long as this process; without other keys none is asked for.
    """
    told = environ.get(KEYS)
    if not told and not environ.get(KEYS_FILE):
        return dict(environ)
    return {**environ, KEYS: ",".join(filter(None, [told, entry_of("palimpsest-up", key)]))}
