"""The worker's health check, as a container runs it."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

from redis import Redis

from contract.ledger.presence import Presence
from contract.wire.serving import WorkerState, WorkerView
from worker.health import worker_on


def a_worker(worker_id: str, *, host: str) -> WorkerView:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return WorkerView(
        id=worker_id,
        model="demo",
        host=host,
        pid=7,
        device="cpu",
        state=WorkerState.IDLE,
        free_bytes=1,
        total_bytes=2,
        budget_bytes=1,
        started_at=now,
        heartbeat_at=now,
    )


def check_health(redis_url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "worker.health"],
        env=os.environ | {"REDIS_URL": redis_url},
        capture_output=True,
        text=True,
    )


def test_a_live_worker_on_this_host_is_healthy(redis_url: str) -> None:
    worker = a_worker("w-1", host=socket.gethostname())
    Presence(Redis.from_url(redis_url)).publish_worker(worker, ttl_s=60)

    checked = check_health(redis_url)

    assert (checked.returncode, checked.stdout) == (0, "w-1 is idle\n")


def test_a_worker_that_fell_silent_is_not_healthy(redis_url: str) -> None:
    worker = a_worker("w-1", host=socket.gethostname())
    Presence(Redis.from_url(redis_url)).publish_worker(worker, ttl_s=0.001)

    checked = check_health(redis_url)

    assert checked.returncode == 1
    assert checked.stdout == f"no healthy worker is alive on {socket.gethostname()}\n"


def test_a_redis_that_does_not_answer_is_reported() -> None:
    checked = check_health("unix:///nowhere/redis.sock")

    assert checked.returncode == 1
    assert checked.stdout.startswith("Redis does not answer: ")
    assert checked.stderr == ""


def test_a_worker_on_another_host_does_not_count() -> None:
    here = a_worker("w-2", host="here")
    live = [a_worker("w-1", host="there"), here]

    assert worker_on("here", live) == here
    assert worker_on("elsewhere", live) is None


def test_a_worker_whose_weights_changed_does_not_count() -> None:
    tainted = a_worker("w-1", host="here").model_copy(update={"state": WorkerState.TAINTED})
    its_successor = a_worker("w-2", host="here")

    assert worker_on("here", [tainted]) is None
    assert worker_on("here", [tainted, its_successor]) == its_successor
