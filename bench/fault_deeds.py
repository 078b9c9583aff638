"""The deeds that strike the service, each as a function of what it works with."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.house import REQUEST, House, wait_until
from bench.injection import Injection, Struck
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Phase
from palimpsest.demonstration import REQUEST as CALIBRATED
from palimpsest.errors import PalimpsestError

BODY = REQUEST.model_dump(mode="json", exclude_unset=True)
MOST_CANCEL_S = 1.0


def killed_at(point: str, *programs: str) -> Callable[[Injection], Struck]:
    """The worker, unless other programs are named; those are killed at once."""

    def act(injection: Injection) -> Struck:
        edit_ids = [injection.stopped_at(point), injection.site.submit()]
        for program in programs or ("worker",):
            injection.site.signal(program, signal.SIGKILL)
        return Struck(edit_ids=edit_ids, since_s=time.monotonic())

    return act


def broken_at(point: str, how: str, code: ErrorCode | None) -> Callable[[Injection], Struck]:
    """The first edit that comes there breaks, and ends with `code`; None: it succeeds after all."""

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


def canceled_at(phase: Phase) -> Callable[[Injection], Struck]:
    """An edit of the default method; the next one is made as if it had not been."""

    def act(injection: Injection) -> Struck:
        site = injection.site
        edit_id = site.client.edits.create(CALIBRATED).id
        wait_until(lambda: (seen := site.ledger.find(edit_id)) is not None and seen.phase is phase)
        began_s = time.monotonic()
        site.client.edits.cancel(edit_id)
        view = site.ended(edit_id)
        took_s = time.monotonic() - began_s
        canceled = view is not None and view.status is EditStatus.CANCELED
        return Struck(
            edit_ids=[site.submit()],
            since_s=time.monotonic(),
            as_promised=canceled and took_s < MOST_CANCEL_S,
            note=f"canceled: {canceled}, after {took_s:.2f} s",
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
    except httpx.HTTPError:
        return 0


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])
