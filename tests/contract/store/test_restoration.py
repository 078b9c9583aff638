"""The ledger from the store, after Redis has lost it."""

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from contract.ledger.attempts import Attempts
from contract.ledger.ledger import Ledger, names
from contract.store.restoration import Restoration
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView
from contract.wire.composition import ComposeRequest, Composition
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.ids import checkpoint_id_of, new_edit_id
from contract.wire.lifecycle import EditStatus, Outcome
from contract.wire.views import EditResult

DAY_S = 86_400


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
    edit_id = ledger.submit(request_, model="demo", admission=admission).edit_id
    attempt = attempts.claim(edit_id, worker_id="here-1-aa")
    assert attempt is not None
    changed = {
        "id": checkpoint_id_of(edit_id),
        "edit_id": edit_id,
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
    asked_later = {"id": checkpoint_id_of(edit_id), "edit_id": edit_id}
    long_ago = clock.moment - timedelta(days=31)
    store.commit(checkpoint.model_copy(update=asked_later | {"created_at": long_ago}))
    redis.flushall()

    assert restoration() == 1
    assert redis.exists(names.edit(published))


def test_it_is_due_once_after_each_loss_and_told_to_one(
    redis: Redis, restoration: Restoration
) -> None:
    assert [restoration.takes_turn(), restoration.takes_turn()] == [True, False]

    restoration()
    assert restoration.takes_turn() is False

    redis.flushall()
    assert restoration.takes_turn() is True
