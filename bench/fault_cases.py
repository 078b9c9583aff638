"""The faults, each as a deed and what was promised of it."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from redis.exceptions import RedisError

from bench.house import REQUEST, House, wait_until
from contract.failures import ErrorCode
from contract.ids import checkpoint_id_of
from contract.lifecycle import EditStatus
from contract.views import EditView
from palimpsest.errors import PalimpsestError

BODY = REQUEST.model_dump(mode="json", exclude_unset=True)
PHASES = ("collect", "write", "evaluate", "publish")
LEASE_S = 6.0


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one place; `act` injects it and returns what is to be judged."""

    fault: str
    name: str
    act: "Callable[[Injection], Struck]"
    is_kill: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """The edits that were accepted, when the fault struck or ended, and what was seen."""

    edit_ids: Sequence[str]
    since_s: float
    code: ErrorCode | None = None
    """How the first of them is to fail; None: all succeed."""
    as_promised: bool = True
    note: str = ""


@dataclass(slots=True)
class Injection:
    """What a case works with."""

    site: House
    pause_s: float
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of each file of the edit, as it was made before any fault."""

    def run(self, case: Case) -> dict[str, Any]:
        """Inject one fault and judge what came of it."""
        if not self.files:
            self.files = self._files_of(self._finished(self.site.submit()))
        struck = case.act(self)
        self.site.ended(struck.edit_ids[0])
        recovery_s = time.monotonic() - struck.since_s
        views = [self.site.ended(edit_id) for edit_id in struck.edit_ids]
        return {
            "recovery_s": round(max(recovery_s, 0.0), 2),
            "lost": sum(view is None for view in views),
            "twice": sum(self._successes(edit_id) > 1 for edit_id in struck.edit_ids),
            "tainted": sum(self._is_tainted(view) for view in views),
            "as_promised": struck.as_promised and _ended_as(struck.code, views),
            "note": struck.note,
        }

    def stopped_at(self, point: str) -> str:
        """A new edit whose worker waits at a point."""
        self.site.order(point)
        edit_id = self.site.submit()
        assert self.site.reached(), f"the worker did not come to {point}"
        return edit_id

    def _finished(self, edit_id: str) -> EditView:
        view = self.site.ended(edit_id)
        assert view is not None and view.status is EditStatus.SUCCEEDED, view
        return view

    def _successes(self, edit_id: str) -> int:
        return [event.type for event in self.site.ledger.events(edit_id)].count("succeeded")

    def _is_tainted(self, view: EditView | None) -> bool:
        return view is not None and bool(view.checkpoint_id) and self._files_of(view) != self.files

    def _files_of(self, view: EditView) -> dict[str, str]:
        checkpoint = self.site.store.find(checkpoint_id_of(view.id))
        return {file.path: file.sha256 for file in checkpoint.files} if checkpoint else {}


def _ended_as(code: ErrorCode | None, views: Sequence[EditView | None]) -> bool:
    failed = [view.error.code for view in views if view is not None and view.error is not None]
    done = [view for view in views if view is not None and view.status is EditStatus.SUCCEEDED]
    wanted = [] if code is None else [code]
    return failed == wanted and len(done) == len(views) - len(wanted)


def killed_at(point: str) -> Callable[[Injection], Struck]:
    def act(injection: Injection) -> Struck:
        edit_ids = [injection.stopped_at(point), injection.site.submit()]
        injection.site.signal("worker", signal.SIGKILL)
        return Struck(edit_ids=edit_ids, since_s=time.monotonic())

    return act


def broken_at(point: str, how: str, code: ErrorCode) -> Callable[[Injection], Struck]:
    def act(injection: Injection) -> Struck:
        injection.site.order(point, how)
        edit_ids = [injection.site.submit(), injection.site.submit()]
        assert injection.site.reached()
        return Struck(edit_ids=edit_ids, since_s=time.monotonic(), code=code)

    return act


def redis_killed_at(point: str | None) -> Callable[[Injection], Struck]:
    def act(injection: Injection) -> Struck:
        edit_ids = [injection.stopped_at(point)] if point else []
        injection.site.signal("redis", signal.SIGKILL)
        since_s = time.monotonic()
        injection.site.let_go()
        edit_ids.append(injection.site.submit())  # the client tries until it is taken
        return Struck(edit_ids=edit_ids, since_s=since_s)

    return act


def worker_stopped_past_its_lease(injection: Injection) -> Struck:
    """With another worker there, which finishes the edit; the sleeper then wakes."""
    with _second_worker(injection.site):
        edit_id = injection.stopped_at("write")
        record = injection.site.ledger.record(edit_id)
        assert record is not None
        live = injection.site.ledger.presence.workers()
        sleeper = next(worker.pid for worker in live if worker.id == record.fields["worker"])
        os.kill(sleeper, signal.SIGSTOP)
        since_s = time.monotonic()
        view = injection.site.ended(edit_id)
        took_s = time.monotonic() - since_s
        os.kill(sleeper, signal.SIGCONT)
        injection.site.let_go()
        time.sleep(3.0)  # what the sleeper still does, it does now
    note = f"finished by the other after {took_s:.1f} s, attempt {view.attempt if view else None}"
    return Struck(edit_ids=[edit_id], since_s=time.monotonic() - took_s, note=note)


def two_workers(injection: Injection) -> Struck:
    with _second_worker(injection.site):
        since_s = time.monotonic()
        edit_ids = [injection.site.submit() for _ in range(6)]
        for edit_id in edit_ids:
            injection.site.ended(edit_id)
        attempts = [view.attempt for i in edit_ids if (view := injection.site.ledger.find(i))]
        took_s = time.monotonic() - since_s
    return Struck(
        edit_ids=edit_ids,
        since_s=time.monotonic() - took_s,
        as_promised=attempts == [1] * 6,
        note=f"attempts {attempts}",
    )


@contextmanager
def _second_worker(site: House) -> Iterator[None]:
    site.add("second")
    assert wait_until(lambda: site.is_ready(workers=2))
    try:
        yield
    finally:
        site.remove("second")


def redis_paused(injection: Injection) -> Struck:
    """Nothing is accepted meanwhile, and what was accepted goes on afterwards."""
    site = injection.site
    edit_id = injection.stopped_at("write")
    site.signal("redis", signal.SIGSTOP)
    site.let_go()
    began_s, statuses = time.monotonic(), []
    while (left_s := injection.pause_s - (time.monotonic() - began_s)) > 0:
        statuses.append(_posted(site))
        time.sleep(min(1.0, left_s))
    site.signal("redis", signal.SIGCONT)
    since_s = time.monotonic()
    return Struck(
        edit_ids=[edit_id, site.submit()],
        since_s=since_s,
        as_promised=set(statuses) == {503},
        note=f"{len(statuses)} posts meanwhile: {sorted(set(statuses))}",
    )


def redis_at_its_limit(injection: Injection) -> Struck:
    site = injection.site
    edit_id = injection.stopped_at("write")
    before = len(site.ledger.page(limit=200).items)
    site.redis.config_set("maxmemory", 1)
    site.let_go()
    time.sleep(1.0)
    statuses = [_posted(site) for _ in range(3)]
    page = httpx.get(f"{site.url}/edits").status_code
    site.redis.config_set("maxmemory", 0)
    since_s = time.monotonic()
    after = len(site.ledger.page(limit=200).items)
    return Struck(
        edit_ids=[edit_id, site.submit()],
        since_s=since_s,
        as_promised=set(statuses) == {503} and page == 200 and after == before,
        note=f"posts {statuses}, reads {page}",
    )


def redis_flushed(injection: Injection) -> Struck:
    """Edits that wait are lost, which is said; those that had finished are to be listed again."""
    site = injection.site
    finished = site.submit()
    site.ended(finished)
    site.redis.flushall()
    since_s = time.monotonic()
    again = wait_until(lambda: site.ledger.find(finished) is not None, within_s=20)
    assert wait_until(site.is_ready)
    edit_ids = [site.submit(), *([finished] if again else [])]
    return Struck(
        edit_ids=edit_ids, since_s=since_s, as_promised=again, note=f"listed again: {again}"
    )


def api_killed_before_it_answers(injection: Injection) -> Struck:
    """Five posts, each cut off a little later; sent again with its key, each is one edit."""
    site, accepted, since_s = injection.site, [], time.monotonic()
    for n in range(5):
        key = {"Idempotency-Key": f"{since_s}-{n}"}
        cut_off = threading.Thread(target=_posted, args=(site,), kwargs={"headers": key})
        cut_off.start()
        time.sleep(0.004 * n)
        site.signal("api", signal.SIGKILL)
        since_s = time.monotonic()
        cut_off.join()
        accepted.append(
            site.client.edits.create(REQUEST, idempotency_key=key["Idempotency-Key"]).id
        )
    made = {edit.id for edit in site.ledger.page(limit=200).items}
    return Struck(
        edit_ids=accepted,
        since_s=since_s,
        as_promised=len(set(accepted)) == 5 and set(accepted) <= made,
    )


def told_to_leave(*, times: int) -> Callable[[Injection], Struck]:
    def act(injection: Injection) -> Struck:
        site = injection.site
        edit_ids = [injection.stopped_at("write"), site.submit()]
        site.signal("worker", signal.SIGTERM)
        since_s = time.monotonic()
        if times == 2:
            time.sleep(1.2)
            site.signal("worker", signal.SIGTERM)
        site.let_go()
        first = site.ended(edit_ids[0])
        attempt = first.attempt if first else None
        return Struck(
            edit_ids=edit_ids,
            since_s=since_s,
            as_promised=attempt == times,
            note=f"finished by attempt {attempt}",
        )

    return act


def damaged(how: Callable[[bytes], bytes]) -> Callable[[Injection], Struck]:
    """A file of a published checkpoint; an edit that stores the same bytes mends it."""

    def act(injection: Injection) -> Struck:
        site = injection.site
        edit_id = site.submit()
        site.ended(edit_id)
        sha256 = injection.files["adapter_model.safetensors"]
        blob = site.root / "data/blobs" / sha256[:2] / sha256
        blob.write_bytes(how(blob.read_bytes()))
        since_s = time.monotonic()
        try:
            site.client.checkpoints.download(checkpoint_id_of(edit_id), site.root / "download")
            seen = "nobody noticed"
        except PalimpsestError as error:
            seen = type(error).__name__
        again = site.submit()
        site.ended(again)
        # What reads back damaged is taken away, and the next attempt writes it anew.
        last = again if _is_whole(blob, sha256) else site.client.edits.retry(again).id
        return Struck(
            edit_ids=[last], since_s=since_s, as_promised=seen != "nobody noticed", note=seen
        )

    return act


def clock_jumped(by_s: int) -> Callable[[Injection], Struck]:
    def act(injection: Injection) -> Struck:
        site = injection.site
        site.order("write", f"clock {by_s}")
        edit_ids = [site.submit(), site.submit()]
        assert site.reached()
        since_s = time.monotonic()
        for edit_id in edit_ids:
            site.ended(edit_id)
        took_s = time.monotonic() - since_s
        site.signal("worker", signal.SIGTERM)  # the next one has the right time
        return Struck(edit_ids=edit_ids, since_s=time.monotonic() - took_s)

    return act


def _is_whole(blob: Path, sha256: str) -> bool:
    return blob.exists() and hashlib.sha256(blob.read_bytes()).hexdigest() == sha256


def _posted(site: House, *, headers: dict[str, str] | None = None) -> int:
    """The status of one post that is not tried again; 0 when it was cut off."""
    try:
        return httpx.post(f"{site.url}/edits", json=BODY, headers=headers, timeout=30).status_code
    except (httpx.HTTPError, RedisError):
        return 0


def _halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


CASES: tuple[Case, ...] = (
    *(Case("worker killed", f"in {p}", killed_at(p), is_kill=True) for p in PHASES),
    Case("worker killed", "publish and success", killed_at("success"), is_kill=True),
    Case("worker killed", "dequeue and start", killed_at("claim"), is_kill=True),
    Case("worker stopped", "past its lease", worker_stopped_past_its_lease),
    Case("redis killed", "idle", redis_killed_at(None), is_kill=True),
    Case("redis killed", "in the middle", redis_killed_at("write"), is_kill=True),
    Case("redis killed", "at the end", redis_killed_at("success"), is_kill=True),
    Case("redis paused", "in the middle", redis_paused),
    Case("redis at maxmemory", "in the middle", redis_at_its_limit),
    Case("redis flushed", "one had finished", redis_flushed),
    Case("api killed", "before it answers", api_killed_before_it_answers, is_kill=True),
    Case("worker told to leave", "once", told_to_leave(times=1)),
    Case("worker told to leave", "twice", told_to_leave(times=2)),
    Case("disk full", "in publish", broken_at("store", "no_space", ErrorCode.STORE_FULL)),
    Case("file damaged", "cut short", damaged(_halved)),
    Case("file damaged", "one bit", damaged(_flipped)),
    *(
        Case("out of memory", f"in {p}", broken_at(p, "out_of_memory", ErrorCode.GPU_OOM))
        for p in PHASES
    ),
    *(Case("exception", f"in {p}", broken_at(p, "exception", ErrorCode.INTERNAL)) for p in PHASES),
    Case("two workers", "one device", two_workers),
    Case("clock jumped", "a day ahead", clock_jumped(86_400)),
    Case("clock jumped", "an hour back", clock_jumped(-3_600)),
)
