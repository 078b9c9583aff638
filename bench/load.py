"""How much the service bears: posts at once, a long backlog, a worker at work for hours.

    python -m bench.load [--seconds N] [--backlog N] [--edits N] [--only posts backlog worker]

posts     64 clients post for N seconds, beside a bare handler that does one fsynced MULTI of the
          same size, a quarter of the time each in turn. Holds: no error, half the throughput.
backlog   N edits wait. Holds: the newest page and the oldest take as long, a full queue as long as
          a short one, and the bytes in Redis and the API that an edit takes stay the same.
worker    N edits of the demo model in a row, the first and last of them by the default method.
          Holds: of the time of those 95 % is the engine's, memory is flat to 1 kB an edit over the
          last three quarters, and the last adapter is the first, bit for bit.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import linear_regression, median
from typing import Any

from rq.job import Job

from app.jobs.cursors import cursor_after
from bench.faults import MODEL
from bench.house import REQUEST, ROOT, House, house, wait_until
from bench.http_load import Load, post
from bench.pretence import pretend_a_worker
from bench.report import report
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
    with house(model_dir=None, programs=("api",), PALIMPSEST_MAX_QUEUED="10000000") as site:
        pretend_a_worker(site.ledger.presence)
        with _bare(site) as bare_url:
            for url in (f"{site.url}/edits", bare_url) * 2:
                load = post(url, BODY, clients=CLIENTS, for_s=arguments.seconds / 4)
                rows.append({"part": "posts", "url": url.rsplit("/", 1)[1], **_told(load)})
                site.redis.flushdb()
                pretend_a_worker(site.ledger.presence)
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
    """Fill the queue in four parts; look at pages, memory of Redis and of the API after each."""
    rows: list[dict[str, Any]] = []
    with house(model_dir=None, programs=("api",), PALIMPSEST_MAX_QUEUED="10000000") as site:
        pretend_a_worker(site.ledger.presence)
        _warm_up(site)
        for part in range(1, 5):
            while len(site.ledger.queue("demo")) < arguments.backlog * part // 4:
                post(f"{site.url}/edits", BODY, clients=8, for_s=0.2)
                pretend_a_worker(site.ledger.presence)
            rows.append(_backlog_now(site))
        head, tail = _page_s(site, last=False), _page_s(site, last=True)
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
    """A backlog worked off by one worker: its time in the engine, its memory, its last adapter."""
    make = (sys.executable, "-m", "worker.demo", "--out", str(MODEL))
    subprocess.run(make, cwd=ROOT, check=True, stdout=2)
    rows: list[dict[str, Any]] = []
    with house(model_dir=MODEL.resolve()) as site:
        site.ended(site.submit())
        pid = site.pid("worker")
        edit_ids = [site.client.edits.create(CALIBRATED).id for _ in range(DEFAULT_EDITS)]
        edit_ids += [site.submit() for _ in range(arguments.edits - 2 * DEFAULT_EDITS)]
        edit_ids += [site.client.edits.create(CALIBRATED).id for _ in range(DEFAULT_EDITS)]
        quick = range(DEFAULT_EDITS, len(edit_ids) - DEFAULT_EDITS)
        for n in quick[:: max(len(quick) // 40, 1)]:
            site.ended(edit_ids[n], within_s=600)
            rows.append({"part": "worker", "edits": n + 1, "worker_bytes": _resident_bytes(pid)})
        share = _share_in_engine(site, edit_ids[-DEFAULT_EDITS], edit_ids[-1])
        views = [site.ended(edit_id, within_s=600) for edit_id in edit_ids]
        files = [site.store.find(checkpoint_id_of(i)) for i in (edit_ids[0], edit_ids[-1])]
        same = site.pid("worker") == pid
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
    """How fast the worker's memory grows over these rows."""
    edits, held = [row["edits"] for row in rows], [row["worker_bytes"] for row in rows]
    return round(linear_regression(edits, held).slope)


def _share_in_engine(site: House, first: str, last: str) -> float:
    """Of the seconds between the starts of two edits, those that the engine worked."""
    began = _start_of(site, first), site.engine_s()
    ended = _start_of(site, last), site.engine_s()
    return (ended[1] - began[1]) / (ended[0] - began[0])


def _start_of(site: House, edit_id: str) -> float:
    """When a worker begins the edit, waited for."""

    def begun() -> bool:
        view = site.ledger.find(edit_id)
        return view is not None and view.started_at is not None

    assert wait_until(begun, within_s=600)
    return time.monotonic()


def _told(load: Load) -> dict[str, Any]:
    return {
        "statuses": load.statuses,
        "per_s": round(load.per_s, 1),
        "p50_s": round(load.percentile_s(0.5), 4),
        "p99_s": round(load.percentile_s(0.99), 4),
    }


def _backlog_now(site: House) -> dict[str, Any]:
    return {
        "waiting": len(site.ledger.queue("demo")),
        "redis_bytes": site.redis.info("memory")["used_memory"],
        "api_bytes": _resident_bytes(site.pid("api")),
        "first_page_s": round(_page_s(site, last=False), 4),
    }


def _page_s(site: House, *, last: bool) -> float:
    """Median seconds of a page of 50, the newest edits or the oldest."""
    index = names.index(model="demo", status="queued")
    oldest = [raw.decode() for raw in site.redis.zrangebylex(index, "-", "+", start=0, num=51)]
    cursor = cursor_after(oldest[-1]) if last else None
    seconds = []
    for _ in range(9):
        began_s = time.perf_counter()
        assert len(site.client.edits.list(limit=50, cursor=cursor).items) == 50
        seconds.append(time.perf_counter() - began_s)
    return median(seconds)


def _warm_up(site: House) -> None:
    post(f"{site.url}/edits", BODY, clients=8, for_s=1.0)
    site.redis.flushdb()
    pretend_a_worker(site.ledger.presence)


def _resident_bytes(pid: int | None) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(x for x in status.splitlines() if x.startswith("VmRSS")).split()[1]) * 1024


@contextmanager
def _bare(site: House) -> Iterator[str]:
    """The bare handler, writing records of the size of the service's own."""
    edit_id = site.submit()
    raw = site.redis.hgetall(names.edit(edit_id)), site.redis.hgetall(Job.key_for(edit_id))
    record, job = ({k.decode(): v.decode("latin-1") for k, v in found.items()} for found in raw)
    port = free_port("127.0.0.1", 0)
    process = subprocess.Popen(
        (sys.executable, "-m", "bench.bare", str(port)),
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "REDIS_URL": site._server.url,
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
