"""Redis is flushed under a running worker."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from worker_house import House, wait_until

from contract.wire.lifecycle import EditStatus

pytestmark = pytest.mark.slow

PROMISE_S = 15.0


@pytest.fixture
def house(redis_url: str, tmp_path: Path) -> Iterator[House]:
    house = House(Redis.from_url(redis_url), redis_url, tmp_path)
    yield house
    house.close()


def test_finished_edits_are_listed_again_and_new_ones_are_made(house: House) -> None:
    worker = house.start()
    edit_ids = [house.submit() for _ in range(3)]
    before = [house.wait_for_end(edit_id) for edit_id in edit_ids]

    house.redis.flushall()
    wait_until(lambda: worker.events().count("ledger_restored") == 2, within_s=PROMISE_S)
    after = house.ledger.page(status=EditStatus.SUCCEEDED).items

    assert [edit.id for edit in after] == list(reversed(edit_ids))
    assert [edit.after for edit in after] == [edit.after for edit in before]
    assert [model.name for model in house.ledger.presence.models()] == ["demo"]
    assert house.wait_for_end(house.submit()).status is EditStatus.SUCCEEDED


def test_the_models_of_all_workers_are_known_again(house: House) -> None:
    workers = [house.start(), house.start(PALIMPSEST_MODEL_NAME="other")]

    house.redis.flushall()
    wait_until(
        lambda: sum(worker.events().count("ledger_restored") for worker in workers) == 2,
        within_s=PROMISE_S,
    )

    wait_until(
        lambda: [model.name for model in house.ledger.presence.models()] == ["demo", "other"],
        within_s=PROMISE_S,
    )


def test_a_worker_that_finds_an_empty_redis_lists_what_the_store_has(house: House) -> None:
    first = house.start()
    edit_id = house.submit()
    house.wait_for_end(edit_id)
    first.process.kill()
    first.process.wait()
    house.redis.flushall()

    house.start()
    wait_until(lambda: bool(house.ledger.page().items), within_s=PROMISE_S)

    assert [edit.id for edit in house.ledger.page().items] == [edit_id]


@pytest.mark.parametrize("name", [f"manifests/ckpt-{'f' * 28}.json", f"bases/{'f' * 64}.json"])
def test_a_damaged_manifest_keeps_no_worker_from_its_work(house: House, name: str) -> None:
    damaged = house.data_dir / "store" / name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b'{"id": ')

    worker = house.start()

    assert house.wait_for_end(house.submit()).status is EditStatus.SUCCEEDED
    assert {"ledger_restored", "house_not_kept"} <= set(worker.events())
