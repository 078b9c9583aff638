"""States."""

from contract.wire.lifecycle import FINAL, FOLLOWS, UNFINISHED, EditStatus, leads_to


def test_three_states_are_final_and_nothing_follows_them() -> None:
    assert {"succeeded", "failed", "canceled"} == FINAL
    assert {status for status, following in FOLLOWS.items() if not following} == FINAL


def test_every_unfinished_state_can_still_end() -> None:
    for status in UNFINISHED:
        assert FOLLOWS[status] & FINAL, status


def test_an_edit_succeeds_only_from_a_worker_s_hands() -> None:
    assert leads_to(EditStatus.SUCCEEDED) == {EditStatus.RUNNING, EditStatus.CANCELING}


def test_an_edit_that_is_to_be_canceled_fails_no_more() -> None:
    assert leads_to(EditStatus.FAILED) == UNFINISHED - {EditStatus.CANCELING}
