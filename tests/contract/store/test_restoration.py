"""The ledger from the store, after Redis has lost it."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from contract.ledger.attempts import Attempts
from contract.ledger.errors import IdempotencyMismatchError
from contract.ledger.ledger import Ledger, names
from contract.ledger.origin import Origin
from contract.store.restoration import Restoration
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView, Part
from contract.wire.composition import ComposeRequest, Composition
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.ids import checkpoint_id_of, new_edit_id
from contract.wire.lifecycle import EditStatus, Outcome
from contract.wire.views import EditResult

DAY_S = 86_400
KEYED = Origin(caller="search", idempotency_key="told-to-nobody")


@pytest.fixture
def store(tmp_path: Any) -> CheckpointStore:
    return CheckpointStore(tmp_path)


@pytest.fixture
def restoration(redis: Redis, store: CheckpointStore, clock: Any) -> Restoration:
    return Restoration(redis=redis, store=store, keep_s=30 * DAY_S, clock=clock)


@pytest.fixture
def published(
    ledger: Ledger,
    attempts: Attempts,
    store: CheckpointStore,
    request_: EditRequest,
    admission: Admission,
    result: EditResult,
    checkpoint: CheckpointView,
    clock: Any,
) -> str:
    """An edit that was made while Redis still knew."""
    made = ledger.submit(request_, model="demo", admission=admission, origin=KEYED)
    edit_id, record = made.edit_id, made.record
    attempt = attempts.claim(edit_id, worker_id="here-1-aa")
    assert attempt is not None
    assert record is not None
    changed = {
        "id": checkpoint_id_of(edit_id),
        "edit_id": edit_id,
        "parts": (Part(edit_id=edit_id, first_rank=0, end_rank=1),),
        "idempotency": record.idempotency,
        "admission": admission,
        "created_at": clock.moment,
    }
    store.commit(checkpoint.model_copy(update=changed))
    attempts.succeed(attempt, result, checkpoint_id=checkpoint_id_of(edit_id))
    return edit_id


def test_a_finished_edit_is_as_it_was_save_for_when_it_began(
    redis: Redis, ledger: Ledger, restoration: Restoration, published: str
) -> None:
    before = ledger.find(published)
    redis.flushall()

    assert restoration() == 1

    after = ledger.find(published)
    assert before is not None
    assert after == before.model_copy(update={"started_at": None})


def test_it_is_listed_again_by_model_and_status(
    redis: Redis, ledger: Ledger, restoration: Restoration, published: str
) -> None:
    redis.flushall()
    restoration()

    for asked in ({}, {"model": "demo"}, {"status": EditStatus.SUCCEEDED}):
        assert [edit.id for edit in ledger.page(**asked).items] == [published]
    assert ledger.page(status=EditStatus.QUEUED).items == ()
    assert [event.type for event in ledger.events(published)] == ["succeeded"]


def test_a_key_finds_the_finished_edit_that_it_made(
    redis: Redis,
    ledger: Ledger,
    restoration: Restoration,
    request_: EditRequest,
    admission: Admission,
    published: str,
    clock: Any,
) -> None:
    redis.flushall()
    clock.now_s += 3600

    restoration()

    again = ledger.submit(request_, model="demo", admission=admission, origin=KEYED)
    assert (again.edit_id, again.created) == (published, False)
    assert redis.ttl(str(KEYED.key)) == DAY_S - 3600
    with pytest.raises(IdempotencyMismatchError):
        other = request_.model_copy(update={"target_new": "Oslo"})
        ledger.submit(other, model="demo", admission=admission, origin=KEYED)


def test_a_key_whose_time_is_over_is_not_remembered(
    redis: Redis, restoration: Restoration, published: str, clock: Any
) -> None:
    redis.flushall()
    clock.now_s += DAY_S

    assert restoration() == 1
    assert not redis.exists(str(KEYED.key))


def test_a_key_that_has_made_another_edit_since_stays_with_that(
    redis: Redis,
    ledger: Ledger,
    restoration: Restoration,
    request_: EditRequest,
    admission: Admission,
    published: str,
) -> None:
    redis.flushall()
    second = ledger.submit(request_, model="demo", admission=admission, origin=KEYED).edit_id

    restoration()

    found = ledger.find_submission(request_, KEYED)
    assert found is not None
    assert found.edit_id == second != published


def test_a_manifest_tells_no_key_and_no_caller(store: CheckpointStore, published: str) -> None:
    (entry,) = store.shelf.entries("manifests")
    manifest = store.shelf.read(entry.name)

    assert str(KEYED.key).removeprefix("palimpsest:idempotency:").encode() in manifest
    assert b"told-to-nobody" not in manifest
    assert b"search" not in manifest


def test_a_manifest_that_tells_of_no_key_is_restored_as_it_is(
    redis: Redis,
    restoration: Restoration,
    store: CheckpointStore,
    checkpoint: CheckpointView,
    clock: Any,
) -> None:
    store.commit(checkpoint.model_copy(update={"created_at": clock.moment}))

    assert restoration() == 1
    assert redis.keys("palimpsest:idempotency:*") == []
    assert b"idempotency" not in store.shelf.read(f"manifests/{checkpoint.id}.json")


def test_a_composition_is_no_edit_after_it_either(
    redis: Redis,
    ledger: Ledger,
    store: CheckpointStore,
    restoration: Restoration,
    checkpoint: CheckpointView,
    clock: Any,
) -> None:
    composed = {
        "edit_id": None,
        "request": ComposeRequest(edits=("edit-" + "0" * 28,)),
        "result": Composition(outcome=Outcome.HELD, retests=()),
        "created_at": clock.moment,
    }
    store.commit(checkpoint.model_copy(update=composed))

    restoration()

    view = ledger.find_composition(checkpoint.id)
    assert view is not None
    assert (view.status, ledger.page().items) == (EditStatus.SUCCEEDED, ())


def test_what_redis_still_knows_is_left_alone(
    redis: Redis, restoration: Restoration, published: str
) -> None:
    before = redis.hgetall(names.edit(published)), redis.xlen(names.events(published))

    assert restoration() == 0

    assert (redis.hgetall(names.edit(published)), redis.xlen(names.events(published))) == before


def test_a_damaged_manifest_hides_no_other(
    restoration: Restoration,
    store: CheckpointStore,
    redis: Redis,
    ledger: Ledger,
    published: str,
) -> None:
    store.shelf.replace(f"manifests/ckpt-{'f' * 28}.json", b"torn")
    redis.flushdb()

    assert restoration() == 1
    assert ledger.find(published) is not None


def test_what_was_forgotten_for_its_age_stays_forgotten(
    redis: Redis, ledger: Ledger, restoration: Restoration, published: str, clock: Any
) -> None:
    redis.flushall()
    clock.now_s += 30 * DAY_S + 1

    assert restoration() == 0
    assert ledger.find(published) is None


def test_what_ended_late_is_listed_though_a_later_request_is_forgotten(
    redis: Redis,
    restoration: Restoration,
    store: CheckpointStore,
    checkpoint: CheckpointView,
    published: str,
    clock: Any,
) -> None:
    edit_id = new_edit_id(now_s=clock.now_s + DAY_S)
    asked_later = {
        "id": checkpoint_id_of(edit_id),
        "edit_id": edit_id,
        "parts": (Part(edit_id=edit_id, first_rank=0, end_rank=1),),
    }
    long_ago = clock.moment - timedelta(days=31)
    store.commit(checkpoint.model_copy(update=asked_later | {"created_at": long_ago}))
    redis.flushall()

    assert restoration() == 1
    assert redis.exists(names.edit(published))


def test_what_an_older_copy_of_redis_does_not_know_is_listed_once_its_mark_is_taken_away(
    redis: Redis, ledger: Ledger, restoration: Restoration, published: str
) -> None:
    assert restoration.takes_turn()
    restoration()
    redis.delete(names.edit(published), names.events(published))

    assert not restoration.takes_turn()
    redis.delete("palimpsest:restored")
    assert restoration.takes_turn()

    assert restoration() == 1
    assert ledger.find(published) is not None


def test_it_is_due_once_after_each_loss_and_told_to_one(
    redis: Redis, restoration: Restoration
) -> None:
    assert [restoration.takes_turn(), restoration.takes_turn()] == [True, False]

    restoration()
    assert restoration.takes_turn() is False

    redis.flushall()
    assert restoration.takes_turn() is True
