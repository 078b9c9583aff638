"""The ledger: what the API writes and reads."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Protocol

import pytest
from redis import Redis
from redis.exceptions import ConnectionError, ResponseError
from rq.job import Job
from rq.serializers import JSONSerializer

from contract.ledger.attempts import Attempts
from contract.ledger.connection import connect
from contract.ledger.errors import (
    BeingRemovedError,
    IdempotencyMismatchError,
    QueueFullError,
    SchemaMismatchError,
)
from contract.ledger.ledger import Ledger, names
from contract.ledger.origin import Origin
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.ids import checkpoint_id_of
from contract.wire.lifecycle import EditStatus, QueuedReason
from contract.wire.serving import WorkerState, WorkerView
from contract.wire.views import EditResult, QueueView

KEYED = Origin(idempotency_key="k")


class Clock(Protocol):
    now_s: float


def test_the_first_to_come_sets_the_schema(ledger: Ledger, redis: Redis) -> None:
    ledger.check_schema()
    ledger.check_schema()

    assert redis.get("palimpsest:schema") == b"1"


def test_a_ledger_of_another_version_is_refused(ledger: Ledger, redis: Redis) -> None:
    redis.set("palimpsest:schema", "2")

    with pytest.raises(
        SchemaMismatchError, match="a ledger of schema 2, this version needs schema 1"
    ):
        ledger.check_schema()


def test_a_submission_is_a_record_an_event_and_a_job_of_one_id(
    ledger: Ledger, redis: Redis, edit_id: str
) -> None:
    record = ledger.record(edit_id)
    (event,) = ledger.events(edit_id)
    job = Job.fetch(edit_id, connection=redis, serializer=JSONSerializer)

    assert record is not None
    assert record.status is EditStatus.QUEUED
    assert (event.type, event.at) == ("queued", datetime(2030, 3, 17, 17, 46, 40, tzinfo=UTC))
    assert ledger.queue("demo").ids() == [edit_id]
    assert (job.func_name, job.args) == ("worker.tasks.run_edit", [edit_id])


def test_a_submission_that_redis_refuses_leaves_nothing(
    ledger: Ledger, redis: Redis, request_: EditRequest, admission: Admission
) -> None:
    redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(ResponseError):
            ledger.submit(request_, model="demo", admission=admission, origin=KEYED)
    finally:
        redis.config_set("maxmemory", "0")

    assert redis.keys("palimpsest:*") == []
    assert redis.keys("rq:queue:*") == []


@pytest.mark.parametrize("how", ["edit", "composition"])
def test_a_job_on_a_checkpoint_that_is_being_removed_leaves_nothing(
    ledger: Ledger, redis: Redis, request_: EditRequest, admission: Admission, how: str
) -> None:
    first, second = (f"ckpt-{n:028x}" for n in (1, 2))
    edits = tuple(f"edit-{n:028x}" for n in (2, 1))
    on_it = request_.model_copy(update={"base": first})
    asked = on_it if how == "edit" else ComposeRequest(edits=edits)

    with ledger.removing([second, first]) as removal:
        removal.confirm(first)
        with pytest.raises(BeingRemovedError, match=first):
            ledger.submit(asked, model="demo", admission=admission, origin=KEYED)
    with pytest.raises(BeingRemovedError, match=first):
        ledger.submit(asked, model="demo", admission=admission, origin=KEYED)

    assert redis.keys("palimpsest:*") == [names.removing(first).encode()]
    assert redis.keys("rq:queue:*") == []


def test_a_job_on_another_checkpoint_than_the_one_that_is_being_removed_is_accepted(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    on_it = request_.model_copy(update={"base": f"ckpt-{1:028x}"})

    with ledger.removing([f"ckpt-{2:028x}"]):
        assert ledger.submit(on_it, model="demo", admission=admission, origin=KEYED).created


def test_a_key_finds_the_edit_it_made_and_makes_no_other(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    def submit() -> tuple[str, bool]:
        made = ledger.submit(request_, model="demo", admission=admission, origin=KEYED)
        return made.edit_id, made.created

    (first, created), (again, created_again) = submit(), submit()

    assert first == again
    assert (created, created_again) == (True, False)
    assert len(ledger.queue("demo")) == 1


def test_a_key_is_for_one_request(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    ledger.submit(request_, model="demo", admission=admission, origin=KEYED)
    other = request_.model_copy(update={"target_new": "Oslo"})

    with pytest.raises(IdempotencyMismatchError):
        ledger.submit(other, model="demo", admission=admission, origin=KEYED)
    with pytest.raises(IdempotencyMismatchError):
        ledger.find_submission(request_.model_copy(update={"model": "other"}), KEYED)


def test_a_key_is_of_its_caller(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    mine, yours = (Origin(caller=name, idempotency_key="k") for name in ("a", "b"))

    first = ledger.submit(request_, model="demo", admission=admission, origin=mine)
    other = ledger.submit(request_, model="demo", admission=admission, origin=yours)

    assert first.edit_id != other.edit_id
    assert ledger.find_submission(request_, mine).edit_id == first.edit_id


def test_a_key_is_forgotten_after_its_time(
    ledger: Ledger, redis: Redis, request_: EditRequest, admission: Admission
) -> None:
    ledger.submit(request_, model="demo", admission=admission, origin=KEYED)

    (key,) = redis.keys("palimpsest:idempotency:*")

    assert 86_390 <= redis.ttl(key) <= 86_400


def test_twenty_threads_with_one_key_make_one_edit(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    def submit(_: int) -> tuple[str, bool]:
        made = ledger.submit(request_, model="demo", admission=admission, origin=KEYED)
        return made.edit_id, made.created

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(submit, range(20)))

    assert len({edit_id for edit_id, _ in made}) == 1
    assert sum(created for _, created in made) == 1
    assert len(ledger.queue("demo")) == 1


def test_a_full_queue_refuses_the_next_edit_but_not_another_models(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    for _ in range(40):
        ledger.submit(request_, model="demo", admission=admission)

    with pytest.raises(QueueFullError):
        ledger.submit(request_, model="demo", admission=admission)

    assert ledger.submit(request_, model="other", admission=admission).created


def test_threads_that_race_for_the_last_places_get_as_many_as_there_are(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    def submit(_: int) -> bool:
        try:
            return ledger.submit(request_, model="demo", admission=admission).created
        except QueueFullError:
            return False

    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(submit, range(60)))

    assert sum(made) == len(ledger.queue("demo")) == 40


def test_a_submission_whose_answer_was_lost_makes_one_edit_when_it_is_sent_again(
    ledger: Ledger, redis_url: str, request_: EditRequest, admission: Admission
) -> None:
    redis = connect(redis_url, retries=2, timeout_s=2.0)
    usual = redis.connection_pool.connection_class
    losses = iter([True])

    class Forgetful(usual):  # type: ignore[misc, valid-type]
        """Breaks once, after the submission was sent and done."""

        def send_packed_command(self, command: list[bytes], check_health: bool = True) -> None:
            super().send_packed_command(command, check_health)
            if b"EVALSHA" in command[0] and next(losses, False):
                assert self.can_read(timeout=5)
                raise ConnectionError("the answer was lost")

    ledger.submit(request_, model="other", admission=admission)  # now Redis knows the script
    redis.connection_pool.connection_class = Forgetful

    Ledger(redis).submit(request_, model="demo", admission=admission)

    assert next(losses, None) is None
    assert len(ledger.queue("demo")) == 1
    assert len(ledger.page(model="demo").items) == 1


def test_an_unknown_edit_is_not_found(ledger: Ledger) -> None:
    assert ledger.find("edit-" + "0" * 28) is None
    assert ledger.record("edit-" + "0" * 28) is None
    assert ledger.events("edit-" + "0" * 28) == []


def test_pages_go_from_the_newest_to_the_oldest(
    ledger: Ledger, clock: Clock, request_: EditRequest, admission: Admission
) -> None:
    made = []
    for _ in range(5):
        made.append(ledger.submit(request_, model="demo", admission=admission).edit_id)
        clock.now_s += 1

    first = ledger.page(limit=2)
    second = ledger.page(limit=2, before=first.next_cursor)
    third = ledger.page(limit=2, before=second.next_cursor)

    seen = [item.id for page in (first, second, third) for item in page.items]
    assert seen == made[::-1]
    assert (first.next_cursor, second.next_cursor, third.next_cursor) == (made[3], made[1], None)


def test_a_page_that_ends_with_the_last_edit_has_no_next(
    ledger: Ledger, request_: EditRequest, admission: Admission
) -> None:
    for _ in range(2):
        ledger.submit(request_, model="demo", admission=admission)

    assert ledger.page(limit=2).next_cursor is None


def test_an_edit_is_listed_under_its_model_and_its_status_only(
    ledger: Ledger, attempts: Attempts, edit_id: str, result: EditResult
) -> None:
    def listed() -> set[str]:
        return {status for status in EditStatus if ledger.page(status=status).items}

    queued = listed()
    attempt = attempts.claim(edit_id, worker_id="w")
    assert attempt is not None
    running = listed()
    attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(edit_id))
    succeeded = listed()

    assert (queued, running, succeeded) == ({"queued"}, {"running"}, {"succeeded"})
    assert [item.id for item in ledger.page(model="demo").items] == [edit_id]
    assert ledger.page(model="other").items == ()
    assert [item.id for item in ledger.page(model="demo", status=EditStatus.SUCCEEDED).items] == [
        edit_id
    ]


def test_without_a_worker_a_queued_edit_says_so(ledger: Ledger, edit_id: str) -> None:
    view = ledger.find(edit_id)

    assert view is not None
    assert view.queued_reason is QueuedReason.NO_WORKER
    assert view.queue == QueueView(position=0, eta_s=None)


@pytest.fixture
def worker() -> WorkerView:
    at = datetime(2030, 1, 2, tzinfo=UTC)
    return WorkerView(
        id="w",
        model="demo",
        host="somewhere",
        pid=1,
        device="cpu",
        state=WorkerState.BUSY,
        free_bytes=1,
        total_bytes=1,
        budget_bytes=1,
        mean_edit_s=3.0,
        started_at=at,
        heartbeat_at=at,
    )


def test_place_and_time_count_the_edit_that_runs(
    ledger: Ledger,
    attempts: Attempts,
    worker: WorkerView,
    request_: EditRequest,
    admission: Admission,
) -> None:
    ledger.presence.publish_worker(worker, ttl_s=60)
    ids = [ledger.submit(request_, model="demo", admission=admission).edit_id for _ in range(3)]
    ledger.redis.lrem("rq:queue:palimpsest:demo", 1, ids[0])  # as a worker takes it
    attempts.claim(ids[0], worker_id="w")

    views = [ledger.find(edit_id) for edit_id in ids]

    assert [view.queue for view in views if view] == [
        QueueView(position=0, eta_s=3.0),
        QueueView(position=1, eta_s=6.0),
        QueueView(position=2, eta_s=9.0),
    ]
    assert [view.queued_reason for view in views if view] == [None, None, None]


def test_a_worker_that_falls_silent_is_gone(ledger: Ledger, worker: WorkerView) -> None:
    ledger.presence.publish_worker(worker, ttl_s=60)
    assert ledger.presence.workers() == (worker,)

    ledger.redis.delete(names.worker("w"))  # as its time to live does

    assert ledger.presence.workers() == ()


def test_events_go_on_after_the_one_that_was_seen(
    ledger: Ledger, attempts: Attempts, edit_id: str
) -> None:
    (queued,) = ledger.events(edit_id)
    attempts.claim(edit_id, worker_id="w")

    (started,) = ledger.events(edit_id, after=queued.id)

    assert (started.type, started.data) == ("started", {"attempt": 1, "worker": "w"})
    assert ledger.events(edit_id, after=started.id) == []
    assert len(ledger.events(edit_id, limit=1)) == 1


def test_jobs_that_have_not_ended_tell_what_they_are_built_on(
    ledger: Ledger, attempts: Attempts, request_: EditRequest, edit_id: str
) -> None:
    base = "ckpt-" + "1" * 28
    chained = ledger.submit(
        request_.model_copy(update={"base": base}), model="demo", admission=None
    )
    composed = ledger.submit(ComposeRequest(edits=(edit_id,)), model="demo", admission=None)
    attempts.claim(composed.edit_id, worker_id="w")

    before = ledger.building()
    ledger.cancel(chained.edit_id)

    running = {composed.edit_id: frozenset({checkpoint_id_of(edit_id)})}
    assert before == running | {checkpoint_id_of(chained.edit_id): frozenset({base})}
    assert ledger.building() == running


@pytest.mark.parametrize(
    "field", [{"status": "dreaming"}, {"error": '{"code": "a later one"}'}, {"request": "torn"}]
)
def test_a_record_that_cannot_be_read_is_logged_and_hides_no_other(
    ledger: Ledger,
    redis: Redis,
    request_: EditRequest,
    admission: Admission,
    caplog: pytest.LogCaptureFixture,
    field: dict[str, str],
) -> None:
    first, odd, last = (
        ledger.submit(request_, model="demo", admission=admission).edit_id for _ in range(3)
    )
    redis.hset(names.edit(odd), mapping=field)

    page = ledger.page()

    assert {edit.id for edit in page.items} == {first, last}
    assert {edit.queue.position for edit in page.items if edit.queue} == {0, 2}
    (line,) = [record for record in caplog.records if record.message == "record_not_read"]
    assert line.facts["edit_id"] == odd
    assert request_.prompt not in str(line.facts)


class LaterRequest(EditRequest):
    """What a later version may be asked for besides."""

    haste: int = 1


def test_a_request_has_the_same_digest_in_a_version_that_takes_more(request_: EditRequest) -> None:
    later = LaterRequest.model_validate_json(request_.model_dump_json())

    assert Origin().body_digest(later) == Origin().body_digest(request_)
    hasty = later.model_copy(update={"haste": 2})
    assert Origin().body_digest(hasty) != Origin().body_digest(request_)
