"""What is done to the service: each fault as a function that injects it."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.faults.injection import Aftermath, Injection
from bench.service.running import REQUEST, RunningService, wait_until
from contract.wire.failures import ErrorCode
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, Phase
from palimpsest.demonstration import REQUEST as CALIBRATED
from palimpsest.errors import PalimpsestError

BODY = REQUEST.model_dump(mode="json", exclude_unset=True)
MAX_CANCEL_S = 1.0


def killed_at(point: str, *programs: str) -> Callable[[Injection], Aftermath]:
    """Kill the worker at a point or, if named, several programs at once."""

    def act(injection: Injection) -> Aftermath:
        edit_ids = [injection.stopped_at(point), injection.service.submit()]
        for program in programs or ("worker",):
            injection.service.signal(program, signal.SIGKILL)
        return Aftermath(edit_ids=edit_ids, since_s=time.monotonic())

    return act


def broken_at(point: str, how: str, code: ErrorCode | None) -> Callable[[Injection], Aftermath]:
    """Break the first edit that gets there: it ends with `code`, or succeeds after all if None."""

    def act(injection: Injection) -> Aftermath:
        injection.service.order(point, how)
        edit_ids = [injection.service.submit(), injection.service.submit()]
        assert injection.service.reached()
        return Aftermath(edit_ids=edit_ids, since_s=time.monotonic(), code=code)

    return act


def redis_killed_at(point: str | None) -> Callable[[Injection], Aftermath]:
    def act(injection: Injection) -> Aftermath:
        edit_ids = [injection.stopped_at(point)] if point else []
        injection.service.signal("redis", signal.SIGKILL)
        since_s = time.monotonic()
        injection.service.let_go()
        edit_ids.append(injection.service.submit())  # the client retries until it is accepted
        return Aftermath(edit_ids=edit_ids, since_s=since_s)

    return act


def worker_stopped_past_its_lease(injection: Injection) -> Aftermath:
    """Stop a worker while another finishes its edit, then let it go on."""
    with _second_worker(injection.service):
        edit_id = injection.stopped_at("write")
        record = injection.service.ledger.record(edit_id)
        assert record is not None
        live = injection.service.ledger.presence.workers()
        sleeper = next(worker.pid for worker in live if worker.id == record.fields["worker"])
        os.kill(sleeper, signal.SIGSTOP)
        since_s = time.monotonic()
        view = injection.service.ended(edit_id)
        took_s = time.monotonic() - since_s
        os.kill(sleeper, signal.SIGCONT)
        injection.service.let_go()
        time.sleep(3.0)  # for whatever the woken worker still does
    note = f"finished by the other after {took_s:.1f} s, attempt {view.attempt if view else None}"
    return Aftermath(edit_ids=[edit_id], since_s=time.monotonic() - took_s, note=note)


def two_workers(injection: Injection) -> Aftermath:
    with _second_worker(injection.service):
        since_s = time.monotonic()
        edit_ids = [injection.service.submit() for _ in range(6)]
        for edit_id in edit_ids:
            injection.service.ended(edit_id)
        attempts = [view.attempt for i in edit_ids if (view := injection.service.ledger.find(i))]
        took_s = time.monotonic() - since_s
    return Aftermath(
        edit_ids=edit_ids,
        since_s=time.monotonic() - took_s,
        as_promised=attempts == [1] * 6,
        note=f"attempts {attempts}",
    )


@contextmanager
def _second_worker(service: RunningService) -> Iterator[None]:
    service.add("second")
    assert wait_until(lambda: service.is_ready(workers=2))
    try:
        yield
    finally:
        service.remove("second")


def redis_paused(injection: Injection) -> Aftermath:
    """Stop Redis: nothing is accepted meanwhile, and accepted edits go on afterwards."""
    service = injection.service
    edit_id = injection.stopped_at("write")
    service.signal("redis", signal.SIGSTOP)
    service.let_go()
    began_s, statuses = time.monotonic(), []
    while (left_s := injection.pause_s - (time.monotonic() - began_s)) > 0:
        statuses.append(_posted(service))
        time.sleep(min(1.0, left_s))
    service.signal("redis", signal.SIGCONT)
    since_s = time.monotonic()
    return Aftermath(
        edit_ids=[edit_id, service.submit()],
        since_s=since_s,
        as_promised=set(statuses) == {503},
        note=f"{len(statuses)} posts meanwhile: {sorted(set(statuses))}",
    )


def redis_at_its_limit(injection: Injection) -> Aftermath:
    service = injection.service
    edit_id = injection.stopped_at("write")
    before = len(service.ledger.page(limit=200).items)
    service.redis.config_set("maxmemory", 1)
    service.let_go()
    time.sleep(1.0)
    statuses = [_posted(service) for _ in range(3)]
    page = httpx.get(f"{service.url}/edits").status_code
    service.redis.config_set("maxmemory", 0)
    since_s = time.monotonic()
    after = len(service.ledger.page(limit=200).items)
    return Aftermath(
        edit_ids=[edit_id, service.submit()],
        since_s=since_s,
        as_promised=set(statuses) == {503} and page == 200 and after == before,
        note=f"posts {statuses}, reads {page}",
    )


def redis_flushed(injection: Injection) -> Aftermath:
    """Queued edits are lost, as documented; finished ones must be listed again."""
    service = injection.service
    finished = service.submit()
    service.ended(finished)
    service.redis.flushall()
    since_s = time.monotonic()
    again = wait_until(lambda: service.ledger.find(finished) is not None, within_s=20)
    assert wait_until(service.is_ready)
    edit_ids = [service.submit(), *([finished] if again else [])]
    return Aftermath(
        edit_ids=edit_ids, since_s=since_s, as_promised=again, note=f"listed again: {again}"
    )


def api_killed_before_it_answers(injection: Injection) -> Aftermath:
    """Cut off five posts; each, sent again with its key, must be one edit."""
    service, accepted, since_s = injection.service, [], time.monotonic()
    for n in range(5):
        key = {"Idempotency-Key": f"{since_s}-{n}"}
        cut_off = threading.Thread(target=_posted, args=(service,), kwargs={"headers": key})
        cut_off.start()
        time.sleep(0.004 * n)
        service.signal("api", signal.SIGKILL)
        since_s = time.monotonic()
        cut_off.join()
        accepted.append(
            service.client.edits.create(REQUEST, idempotency_key=key["Idempotency-Key"]).id
        )
    made = {edit.id for edit in service.ledger.page(limit=200).items}
    return Aftermath(
        edit_ids=accepted,
        since_s=since_s,
        as_promised=len(set(accepted)) == 5 and set(accepted) <= made,
    )


def told_to_leave(*, times: int) -> Callable[[Injection], Aftermath]:
    def act(injection: Injection) -> Aftermath:
        service = injection.service
        edit_ids = [injection.stopped_at("write"), service.submit()]
        service.signal("worker", signal.SIGTERM)
        since_s = time.monotonic()
        if times == 2:
            time.sleep(1.2)
            service.signal("worker", signal.SIGTERM)
        service.let_go()
        first = service.ended(edit_ids[0])
        attempt = first.attempt if first else None
        return Aftermath(
            edit_ids=edit_ids,
            since_s=since_s,
            as_promised=attempt == times,
            note=f"finished by attempt {attempt}",
        )

    return act


def canceled_at(phase: Phase) -> Callable[[Injection], Aftermath]:
    """Cancel an edit of the default method; the next must be made as if it had never been."""

    def act(injection: Injection) -> Aftermath:
        service = injection.service
        edit_id = service.client.edits.create(CALIBRATED).id
        wait_until(lambda: _phase_of(service, edit_id) is phase)
        view, took_s = service.cancel(edit_id)
        canceled = view is not None and view.status is EditStatus.CANCELED
        return Aftermath(
            edit_ids=[service.submit()],
            since_s=time.monotonic(),
            as_promised=canceled and took_s < MAX_CANCEL_S,
            note=f"canceled: {canceled}, after {took_s:.2f} s",
        )

    return act


def damaged(how: Callable[[bytes], bytes]) -> Callable[[Injection], Aftermath]:
    """Damage a file of a published checkpoint; an edit that stores the same bytes repairs it."""

    def act(injection: Injection) -> Aftermath:
        service = injection.service
        edit_id = service.submit()
        service.ended(edit_id)
        sha256 = injection.files["adapter_model.safetensors"]
        blob = service.root / "data/blobs" / sha256[:2] / sha256
        blob.write_bytes(how(blob.read_bytes()))
        since_s = time.monotonic()
        checkpoint_id = checkpoint_id_of(edit_id)
        try:
            service.client.checkpoints.download(checkpoint_id, service.root / "download")
            seen = "nobody noticed"
        except PalimpsestError as error:
            seen = type(error).__name__
        again = service.submit()
        service.ended(again)
        # A file that reads back damaged is removed, and the next attempt writes it again.
        last = again if _is_whole(blob, sha256) else service.client.edits.retry(again).id
        return Aftermath(
            edit_ids=[last], since_s=since_s, as_promised=seen != "nobody noticed", note=seen
        )

    return act


def clock_jumped(by_s: int) -> Callable[[Injection], Aftermath]:
    def act(injection: Injection) -> Aftermath:
        service = injection.service
        service.order("write", f"clock {by_s}")
        edit_ids = [service.submit(), service.submit()]
        assert service.reached()
        since_s = time.monotonic()
        for edit_id in edit_ids:
            service.ended(edit_id)
        took_s = time.monotonic() - since_s
        service.signal("worker", signal.SIGTERM)  # the next one has the right time
        return Aftermath(edit_ids=edit_ids, since_s=time.monotonic() - took_s)

    return act


def _phase_of(service: RunningService, edit_id: str) -> Phase | None:
    view = service.ledger.find(edit_id)
    return view.phase if view is not None else None


def _is_whole(blob: Path, sha256: str) -> bool:
    return blob.exists() and hashlib.sha256(blob.read_bytes()).hexdigest() == sha256


def _posted(service: RunningService, *, headers: dict[str, str] | None = None) -> int:
    """The status of one post without retries; 0 if it was cut off."""
    try:
        return httpx.post(
            f"{service.url}/edits", json=BODY, headers=headers, timeout=30
        ).status_code
    except httpx.HTTPError:
        return 0


def halved(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])
