"""Records as Redis keeps them."""

from datetime import UTC, datetime

import pytest

from contract.ledger.origin import Origin
from contract.ledger.record import EditRecord, first_record
from contract.times import rfc3339
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.lifecycle import EditStatus, QueuedReason
from contract.wire.views import QueueView


@pytest.mark.parametrize(
    ("at_s", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_900_000_000.25, "2030-03-17T17:46:40.250Z"),
        (1_900_000_000.9999, "2030-03-17T17:46:40.999Z"),
    ],
)
def test_times_are_utc_to_the_millisecond(at_s: float, text: str) -> None:
    assert rfc3339(at_s) == text


def test_a_record_that_was_just_written_is_a_queued_edit(
    request_: EditRequest, admission: Admission
) -> None:
    fields = first_record(
        "edit-1", request_, model="demo", admission=admission, origin=Origin(), now_s=0.0
    )
    record = EditRecord.from_redis({k.encode(): v.encode() for k, v in fields.items()})

    view = record.view(queue=QueueView(position=3, eta_s=None), queued_reason=None)

    assert (record.id, record.model, record.status) == ("edit-1", "demo", EditStatus.QUEUED)
    assert record.request == request_
    assert (view.attempt, view.admission) == (0, admission)
    assert view.queue == QueueView(position=3, eta_s=None)
    assert view.created_at == datetime(1970, 1, 1, tzinfo=UTC)
    assert view.started_at is None


def test_an_emptied_field_reads_as_null(request_: EditRequest, admission: Admission) -> None:
    fields = first_record(
        "edit-1", request_, model="demo", admission=admission, origin=Origin(), now_s=0.0
    )
    emptied = {"phase": "", "progress": "", "queued_reason": ""}

    record = EditRecord(fields | emptied)

    view = record.view(queue=None, queued_reason=record.queued_reason)
    assert (view.phase, view.progress, view.queued_reason) == (None, None, None)


def test_a_reason_to_wait_is_read_back(request_: EditRequest, admission: Admission) -> None:
    fields = first_record(
        "edit-1", request_, model="demo", admission=admission, origin=Origin(), now_s=0.0
    )

    record = EditRecord(fields | {"queued_reason": "retrying"})

    assert record.queued_reason is QueuedReason.RETRYING


def test_a_name_in_the_request_does_not_replace_the_edits_own(
    request_: EditRequest, admission: Admission
) -> None:
    nameless = request_.model_copy(update={"model": None})
    fields = first_record(
        "edit-1", nameless, model="demo", admission=admission, origin=Origin(), now_s=0.0
    )

    assert EditRecord(fields).view(queue=None, queued_reason=None).model == "demo"


def test_what_came_of_an_edit_is_read_back(request_: EditRequest, admission: Admission) -> None:
    fields = first_record(
        "edit-1", request_, model="demo", admission=admission, origin=Origin(), now_s=0.0
    )

    view = EditRecord(fields | {"result": '{"completeness": 0.25}'}).view(
        queue=None, queued_reason=None
    )

    assert view.completeness == 0.25
