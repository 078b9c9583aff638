"""Identifiers."""

import re

from contract.wire.ids import CHECKPOINT_ID, EDIT_ID, checkpoint_id_of, new_edit_id


def test_an_id_begins_with_the_milliseconds_since_1970_in_hex() -> None:
    edit_id = new_edit_id(now_s=1.5)

    assert edit_id.startswith("edit-0000000005dc")  # 1500
    assert re.fullmatch(EDIT_ID, edit_id)


def test_ids_sort_by_time() -> None:
    seconds = [0.0, 0.001, 1.0, 1_700_000_000.0, 1_900_000_000.0, 9_000_000_000.0]

    ids = [new_edit_id(now_s=at_s) for at_s in seconds]

    assert ids == sorted(ids)


def test_ids_of_one_instant_differ() -> None:
    assert len({new_edit_id(now_s=1.0) for _ in range(1000)}) == 1000


def test_an_edit_has_one_checkpoint_id() -> None:
    edit_id = "edit-" + "0123456789ab" + "0" * 16

    assert checkpoint_id_of(edit_id) == "ckpt-" + "0123456789ab" + "0" * 16
    assert re.fullmatch(CHECKPOINT_ID, checkpoint_id_of(edit_id))
    assert checkpoint_id_of(checkpoint_id_of(edit_id)) == checkpoint_id_of(edit_id)
