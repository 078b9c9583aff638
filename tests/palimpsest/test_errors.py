"""Problems as exceptions."""

from collections.abc import Callable

import httpx
import pytest
from pydantic import ValidationError

from app.errors import STATUS
from app.pointers import field_errors
from contract.wire.edits import EditRequest
from palimpsest.client import Client
from palimpsest.errors import (
    BusyError,
    ConflictError,
    FieldProblem,
    NotFoundError,
    PalimpsestError,
    RefusedError,
    ServiceError,
    UnavailableError,
    UnexpectedAnswerError,
)
from palimpsest.problems import (
    BY_CODE,
    EditGoneError,
    InvalidRequestError,
    MemoryInfeasibleError,
    error_of,
    invalid_request,
)

ProblemMaker = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, RefusedError),
        (404, NotFoundError),
        (409, ConflictError),
        (410, NotFoundError),
        (413, RefusedError),
        (422, RefusedError),
        (429, BusyError),
        (500, ServiceError),
        (503, UnavailableError),
    ],
)
def test_a_code_of_a_newer_service_has_the_class_of_its_status(
    status: int, expected: type[PalimpsestError], a_problem: ProblemMaker
) -> None:
    assert type(error_of(_asked(a_problem(status, "some_code")))) is expected


def test_each_code_of_the_api_has_a_class_below_that_of_its_status(
    a_problem: ProblemMaker,
) -> None:
    for code, status in STATUS.items():
        family = type(error_of(_asked(a_problem(status.value, "some_code"))))

        error = error_of(_asked(a_problem(status.value, code.value)))

        assert type(error) is BY_CODE[code]
        assert isinstance(error, family)


def test_two_codes_of_one_status_are_told_apart(a_problem: ProblemMaker) -> None:
    assert type(error_of(_asked(a_problem(410, "edit_gone")))) is EditGoneError
    assert type(error_of(_asked(a_problem(422, "memory_infeasible")))) is MemoryInfeasibleError


def test_an_error_keeps_code_detail_request_id_and_fields(a_problem: ProblemMaker) -> None:
    wrong = [{"pointer": "/prompt", "detail": "is blank"}]
    answer = a_problem(422, "invalid_request", detail="no", request_id="r-1", errors=wrong, n=1)

    error = error_of(_asked(answer), retry_after_s=2.0)

    assert isinstance(error, ServiceError)
    assert (error.status, error.code, error.detail) == (422, "invalid_request", "no")
    assert error.request_id == "r-1"
    assert error.fields == (FieldProblem("/prompt", "is blank"),)
    assert error.retry_after_s == 2.0
    assert error.members["n"] == 1
    assert str(error) == "invalid_request: no (/prompt: is blank)"


def test_what_the_detail_tells_of_a_field_is_not_told_again(a_problem: ProblemMaker) -> None:
    wrong = [{"pointer": "#/prompt", "detail": "is blank"}]
    answer = a_problem(422, "invalid_request", detail="#/prompt: is blank", errors=wrong)

    assert str(error_of(_asked(answer))) == "invalid_request: #/prompt: is blank"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"detail": "Not Found"}', b"\xff"])
def test_what_is_no_problem_document_is_not_our_service(body: bytes) -> None:
    error = error_of(_asked(httpx.Response(404, content=body)))

    assert isinstance(error, UnexpectedAnswerError)


def test_another_program_may_claim_any_encoding_and_is_shown_on_one_line() -> None:
    claims = {"Content-Type": "text/html; charset=hex"}

    error = error_of(_asked(httpx.Response(502, headers=claims, content=b"\x1b[31m<html>\n\xff")))

    assert str(error).endswith("service: status 502, \ufffd[31m<html> \ufffd")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        ({"prompt": "x"}, {FieldProblem("#/target_new", "Field required")}),
        (
            {"prompt": " ", "target_new": "a", "b/c": 1},
            {
                FieldProblem("#/prompt", "is blank"),
                FieldProblem("#/b~1c", "Extra inputs are not permitted"),
            },
        ),
    ],
)
def test_a_request_that_is_wrong_is_refused_as_the_service_would(
    request_: dict[str, object], fields: set[FieldProblem]
) -> None:
    def unasked(request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing is sent")

    client = Client("http://there", transport=httpx.MockTransport(unasked))

    for ask in (client.edits.create, client.edits.estimate):
        with pytest.raises(InvalidRequestError) as refused:
            ask(request_)

        assert set(refused.value.fields) == fields
        assert (refused.value.status, refused.value.code) == (422, "invalid_request")


def test_the_pointers_are_those_of_the_service() -> None:
    with pytest.raises(ValidationError) as found:
        EditRequest.model_validate({"prompt": " ", "locality": [{"prompt": ""}], "a~/b": 1})

    ours = invalid_request(found.value).fields

    theirs = field_errors(
        [{**each, "loc": ("body", *each["loc"])} for each in found.value.errors()]
    )
    assert [(each.pointer, each.detail) for each in ours] == [
        (each.pointer, each.detail) for each in theirs
    ]


def _asked(response: httpx.Response) -> httpx.Response:
    response.request = httpx.Request("GET", "http://service/edits")
    return response
