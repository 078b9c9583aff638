"""Records as Redis keeps them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contract.ledger.errors import UnknownRequestError
from contract.ledger.origin import Origin
from contract.ledger.record import EditRecord, built_on_of, first_record
from contract.times import rfc3339
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.estimates import Admission
from contract.wire.lifecycle import EditStatus, QueuedReason
from contract.wire.views import EditFailure, EditResult, QueueView


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


def with_more(kept: str, **more: Any) -> str:
    """JSON with fields of a later version."""
    return json.dumps(json.loads(kept) | more)


def test_what_a_later_version_tells_besides_is_passed_over(
    request_: EditRequest, admission: Admission, result: EditResult
) -> None:
    fields = first_record(
        "edit-1", request_, model="demo", admission=admission, origin=Origin(), now_s=0.0
    )
    memory = {"memory": json.loads(result.memory.model_dump_json()) | {"swapped_bytes": 1}}
    later = {
        "request": with_more(fields["request"], haste=1),
        "admission": with_more(fields["admission"], mood="good"),
        "result": with_more(result.model_dump_json(), mood="good", **memory),
        "mood": "good",
    }

    seen = EditRecord(fields | later).view(queue=None, queued_reason=None)

    known = EditRecord(fields | {"result": result.model_dump_json()})
    assert seen == known.view(queue=None, queued_reason=None)


def test_a_failure_by_a_code_of_a_later_version_is_reported_as_it_is(request_: EditRequest) -> None:
    fields = first_record(
        "edit-1", request_, model="demo", admission=None, origin=Origin(), now_s=0.0
    )
    later = {"error": '{"code": "invented_later", "message": "no", "retryable": false}'}

    seen = EditRecord(fields | later).view(queue=None, queued_reason=None)

    assert seen.error == EditFailure(code="invented_later", message="no", retryable=False)


@pytest.mark.parametrize(
    ("more", "told"), [({"haste": 1}, "haste"), ({"hparams": {"haste": 1}}, "hparams.haste")]
)
def test_a_request_of_a_later_version_is_not_taken_for_another(
    request_: EditRequest, admission: Admission, more: dict[str, Any], told: str
) -> None:
    fields = first_record(
        "edit-1", request_, model="demo", admission=admission, origin=Origin(), now_s=0.0
    )

    with pytest.raises(UnknownRequestError, match=f"does not know: {told}"):
        _ = EditRecord(fields | {"request": with_more(fields["request"], **more)}).request


def test_what_a_request_of_a_later_version_is_built_on_is_known(request_: EditRequest) -> None:
    base, edits = f"ckpt-{1:028x}", (f"edit-{1:028x}", f"edit-{2:028x}")
    on_it = request_.model_copy(update={"base": base}).model_dump_json()
    together = ComposeRequest(edits=edits).model_dump_json()

    assert built_on_of(with_more(request_.model_dump_json(), method="later")) == frozenset()
    assert built_on_of(with_more(on_it, method="later")) == {base}
    assert built_on_of(with_more(together, haste=1)) == {f"ckpt-{n:028x}" for n in (1, 2)}
