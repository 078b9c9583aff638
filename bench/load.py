"""How much load the service bears: posts at once, a long backlog, a worker at work for long.

    python -m bench.load [--seconds N] [--backlog N] [--edits N] [--only posts backlog worker]

posts     64 clients post for N seconds, to the service and to a bare handler that does one fsynced
          MULTI of the same size, in four turns. Holds: no error, and half the handler's throughput.
backlog   N edits wait. Holds: the oldest page takes as long as the newest, a long queue as long as
          a short one, an edit takes the same bytes in Redis as before, and less than 1 kB in the
          API.
worker    N edits of the demo model in a row, the first and last ten by the default method. Holds:
          95 % of the time of the last ten is the engine's, memory grows by less than 1 kB per edit
          over the last three quarters, and the last adapter equals the first, bit for bit.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from rq.job import Job

from app.jobs.cursors import cursor_after
from bench.figures.report import report
from bench.service.http_load import Load, post
from bench.service.idle_worker import announce_idle_worker
from bench.service.running import (
    REQUEST,
    ROOT,
    RunningService,
    make_demo_model,
    running_service,
    wait_until,
)
from contract.ledger import names
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus
from palimpsest.demonstration import REQUEST as CALIBRATED
from palimpsest.local.addresses import free_port

BODY = REQUEST.model_dump_json(exclude_unset=True).encode()
CLIENTS = 64
FLAT_BYTES_PER_EDIT = 1024
DEFAULT_EDITS = 10


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--backlog", type=int, default=10_000)
    parser.add_argument("--edits", type=int, default=2_000)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args(argv)
    rows: list[dict[str, Any]] = []
    for name in arguments.only:
        rows += PARTS[name](arguments)
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    whole = len(arguments.only) == len(PARTS)
    figures = {row["part"]: row for row in rows if "holds" in row}
    holds = whole and all(row["holds"] for row in figures.values())
    name = "load" if whole else "load-partial"
    return report(name, rows, {"bench": "load", **figures, "whole": whole, "holds": holds})


def posts(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The service and the bare handler in turn, each twice."""
    rows: list[dict[str, Any]] = []
    with _api_alone() as service:
        announce_idle_worker(service.ledger.presence)
        with _bare(service) as bare_url:
            for url in (f"{service.url}/edits", bare_url) * 2:
                load = post(url, BODY, clients=CLIENTS, for_s=arguments.seconds / 4)
                rows.append({"part": "posts", "url": url.rsplit("/", 1)[1], **_row_of(load)})
                service.redis.flushdb()
                announce_idle_worker(service.ledger.presence)
    ours, bare = ([row for row in rows if row["url"] == name] for name in ("edits", "bare"))
    errors = sum(
        count for row in rows for status, count in row["statuses"].items() if status != 202
    )
    share = sum(row["per_s"] for row in ours) / sum(row["per_s"] for row in bare)
    summary = {
        "part": "posts",
        "clients": CLIENTS,
        "errors": errors,
        "per_s": [row["per_s"] for row in ours],
        "p99_s": [row["p99_s"] for row in ours],
        "throughput_to_bare": round(share, 3),
        "p99_to_bare": round(
            sum(row["p99_s"] for row in ours) / sum(row["p99_s"] for row in bare), 2
        ),
        "holds": errors == 0 and share >= 0.5,
    }
    return [*rows, summary]


def backlog(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Fill the queue in four parts; measure pages and memory after each."""
    rows: list[dict[str, Any]] = []
    with _api_alone() as service:
        announce_idle_worker(service.ledger.presence)
        _warm_up(service)
        for part in range(1, 5):
            while len(service.ledger.queue("demo")) < arguments.backlog * part // 4:
                post(f"{service.url}/edits", BODY, clients=8, for_s=0.2)
                announce_idle_worker(service.ledger.presence)
            rows.append(_backlog_now(service))
        head, tail = _page_s(service, last=False), _page_s(service, last=True)
    waiting = [row["waiting"] for row in rows]
    redis = linear_regression(waiting, [row["redis_bytes"] for row in rows])
    api = linear_regression(waiting, [row["api_bytes"] for row in rows])
    halves = [
        (rows[b]["redis_bytes"] - rows[a]["redis_bytes"]) / (waiting[b] - waiting[a])
        for a, b in ((0, 1), (2, 3))
    ]
    summary = {
        "part": "backlog",
        "waiting": waiting[-1],
        "redis_bytes_per_edit": round(redis.slope),
        "redis_bytes_per_edit_at_the_end_to_start": round(halves[1] / halves[0], 3),
        "api_bytes_per_edit": round(api.slope),
        "first_page_s": [row["first_page_s"] for row in rows],
        "newest_page_s": round(head, 4),
        "oldest_page_s": round(tail, 4),
    }
    flat = halves[1] / halves[0] < 1.25 and api.slope < FLAT_BYTES_PER_EDIT
    quick = max(head, tail) < 2 * min(head, tail) and head < 2 * rows[0]["first_page_s"]
    return [*({"part": "backlog"} | row for row in rows), summary | {"holds": flat and quick}]


def worker(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One worker works off a backlog: its time in the engine, its memory, its last adapter."""
    rows: list[dict[str, Any]] = []
    with running_service(model_dir=make_demo_model()) as service:
        service.ended(service.submit())
        pid = service.pid("worker")
        edit_ids = [service.client.edits.create(CALIBRATED).id for _ in range(DEFAULT_EDITS)]
        edit_ids += [service.submit() for _ in range(arguments.edits - 2 * DEFAULT_EDITS)]
        edit_ids += [service.client.edits.create(CALIBRATED).id for _ in range(DEFAULT_EDITS)]
        quick = range(DEFAULT_EDITS, len(edit_ids) - DEFAULT_EDITS)
        for n in quick[:: max(len(quick) // 40, 1)]:
            service.ended(edit_ids[n], within_s=600)
            rows.append({"part": "worker", "edits": n + 1, "worker_bytes": _resident_bytes(pid)})
        share = _share_in_engine(service, edit_ids[-DEFAULT_EDITS], edit_ids[-1])
        views = [service.ended(edit_id, within_s=600) for edit_id in edit_ids]
        files = [service.store.find(checkpoint_id_of(i)) for i in (edit_ids[0], edit_ids[-1])]
        same = service.pid("worker") == pid
    done = [view for view in views if view is not None and view.status is EditStatus.SUCCEEDED]
    quarter = len(rows) // 4  # the allocator's pools and the libraries' caches fill up first
    slope = _bytes_per_edit(rows[quarter:])
    summary = {
        "part": "worker",
        "edits": len(done),
        "share_in_engine": round(share, 3),
        "worker_bytes_per_edit": slope,
        "worker_bytes_per_edit_at_first": _bytes_per_edit(rows[: quarter + 1]),
        "first_adapter_again": bool(files[0] and files[1] and files[0].files == files[1].files),
        "one_process": same,
    }
    holds = (
        len(done) == len(edit_ids)
        and share >= 0.95
        and slope < FLAT_BYTES_PER_EDIT
        and summary["first_adapter_again"]
        and same
    )
    return [*rows, summary | {"holds": holds}]


PARTS = {"posts": posts, "backlog": backlog, "worker": worker}


def _bytes_per_edit(rows: Sequence[dict[str, Any]]) -> int:
    """By how much the worker's memory grows per edit over these rows."""
    edits, held = [row["edits"] for row in rows], [row["worker_bytes"] for row in rows]
    return round(linear_regression(edits, held).slope)


def _share_in_engine(service: RunningService, first: str, last: str) -> float:
    """The share of the time between the starts of two edits that the engine worked."""
    began = _start_of(service, first), service.engine_s()
    ended = _start_of(service, last), service.engine_s()
    return (ended[1] - began[1]) / (ended[0] - began[0])


def _start_of(service: RunningService, edit_id: str) -> float:
    """Wait until a worker begins the edit; returns the time."""

    def begun() -> bool:
        view = service.ledger.find(edit_id)
        return view is not None and view.started_at is not None

    assert wait_until(begun, within_s=600)
    return time.monotonic()


def _row_of(load: Load) -> dict[str, Any]:
    return {
        "statuses": load.statuses,
        "per_s": round(load.per_s, 1),
        "p50_s": round(load.percentile_s(0.5), 4),
        "p99_s": round(load.percentile_s(0.99), 4),
    }


def _backlog_now(service: RunningService) -> dict[str, Any]:
    return {
        "waiting": len(service.ledger.queue("demo")),
        "redis_bytes": service.redis.info("memory")["used_memory"],
        "api_bytes": _resident_bytes(service.pid("api")),
        "first_page_s": round(_page_s(service, last=False), 4),
    }


def _page_s(service: RunningService, *, last: bool) -> float:
    """The median time of a page of 50: the newest edits or, with `last`, the oldest."""
    index = names.index(model="demo", status="queued")
    oldest = [raw.decode() for raw in service.redis.zrangebylex(index, "-", "+", start=0, num=51)]
    cursor = cursor_after(oldest[-1]) if last else None
    seconds = []
    for _ in range(9):
        began_s = time.perf_counter()
        assert len(service.client.edits.list(limit=50, cursor=cursor).items) == 50
        seconds.append(time.perf_counter() - began_s)
    return median(seconds)


def _warm_up(service: RunningService) -> None:
    post(f"{service.url}/edits", BODY, clients=8, for_s=1.0)
    service.redis.flushdb()
    announce_idle_worker(service.ledger.presence)


def _resident_bytes(pid: int | None) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith("VmRSS")).split()[1]) * 1024


def _api_alone() -> AbstractContextManager[RunningService]:
    """A service without a worker, whose queue is never full."""
    return running_service(model_dir=None, programs=("api",), PALIMPSEST_MAX_QUEUED="10000000")


@contextmanager
def _bare(service: RunningService) -> Iterator[str]:
    """The bare handler, writing records of the size of the service's own."""
    edit_id = service.submit()
    raw = service.redis.hgetall(names.edit(edit_id)), service.redis.hgetall(Job.key_for(edit_id))
    record, job = ({k.decode(): v.decode("latin-1") for k, v in found.items()} for found in raw)
    port = free_port("127.0.0.1", 0)
    process = subprocess.Popen(
        (sys.executable, "-m", "bench.service.bare_handler", str(port)),
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": service._server.url,
            "BARE_FIELDS": json.dumps({"record": record, "job": job}),
        },
    )
    try:
        url = f"http://127.0.0.1:{port}/bare"
        assert wait_until(lambda: _answers(url))
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return 202 in post(url, BODY, clients=1, for_s=0.01).statuses
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
