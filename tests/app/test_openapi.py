"""The service's description of itself."""

import json
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from app.description.glossary import CODES, TERMS
from app.errors import STATUS, ApiError
from app.problems import Problem
from contract.wire.checkpoints import CheckpointView, CompositionView
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.estimates import EditEstimate
from contract.wire.failures import ErrorCode
from contract.wire.serving import WorkerView
from contract.wire.views import EditEvent, EditView


@pytest.fixture
def description(api: httpx.Client) -> dict[str, Any]:
    response = api.get("/openapi.json")
    assert response.status_code == 200
    described: dict[str, Any] = response.json()
    return described


def test_the_routes_are_these(description: dict[str, Any]) -> None:
    routes = {
        (method.upper(), path)
        for path, methods in description["paths"].items()
        for method in methods
    }

    assert routes == {
        ("POST", "/edits"),
        ("GET", "/edits"),
        ("POST", "/edits:estimate"),
        ("GET", "/edits/{edit_id}"),
        ("GET", "/edits/{edit_id}/events"),
        ("POST", "/edits/{edit_id}/cancel"),
        ("POST", "/edits/{edit_id}/retry"),
        ("POST", "/checkpoints"),
        ("GET", "/checkpoints"),
        ("GET", "/checkpoints/{checkpoint_id}"),
        ("DELETE", "/checkpoints/{checkpoint_id}"),
        ("POST", "/checkpoints/{checkpoint_id}/cancel"),
        ("GET", "/checkpoints/{checkpoint_id}/events"),
        ("GET", "/checkpoints/{checkpoint_id}/files/{path}"),
        ("HEAD", "/checkpoints/{checkpoint_id}/files/{path}"),
        ("GET", "/checkpoints/{checkpoint_id}/model"),
        ("GET", "/checkpoints/{checkpoint_id}/model/{path}"),
        ("HEAD", "/checkpoints/{checkpoint_id}/model/{path}"),
        ("GET", "/models"),
        ("GET", "/workers"),
        ("GET", "/limits"),
        ("GET", "/livez"),
        ("HEAD", "/livez"),
        ("GET", "/readyz"),
        ("HEAD", "/readyz"),
        ("GET", "/metrics"),
    }


def test_every_operation_has_a_name_a_summary_a_tag_and_problems(
    description: dict[str, Any],
) -> None:
    operations = [
        operation for path in description["paths"].values() for operation in path.values()
    ]

    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert operation["description"]
        assert len(operation["tags"]) == 1
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"]


def test_the_framework_s_own_error_format_is_nowhere(description: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in description["components"]["schemas"]
    assert "Problem" in description["components"]["schemas"]


def test_documentation_pages_that_need_the_internet_are_not_served(api: httpx.Client) -> None:
    assert "//" not in api.get("/docs").text
    assert api.get("/redoc").status_code == 404


def leaves_of(kind: type[ApiError]) -> set[type[ApiError]]:
    below = set().union(*map(leaves_of, kind.__subclasses__()))
    return below or {kind}


def test_every_error_of_the_api_has_a_status() -> None:
    assert {kind.code for kind in leaves_of(ApiError)} <= set(STATUS)


def test_no_parameter_is_said_to_be_null(description: dict[str, Any]) -> None:
    parameters = [
        parameter
        for path in description["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
    ]

    assert parameters
    assert not [p for p in parameters if {"type": "null"} in p["schema"].get("anyOf", ())]


def test_every_field_and_parameter_is_described(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    fields = {
        f"{name}.{field}": told
        for name, schema in schemas.items()
        for field, told in schema.get("properties", {}).items()
    }
    parameters = {
        f"{path}?{parameter['name']}": parameter
        for path, methods in description["paths"].items()
        for operation in methods.values()
        for parameter in operation.get("parameters", ())
    }

    assert [
        name for name, told in (fields | parameters).items() if not told.get("description")
    ] == []
    assert [name for name, schema in schemas.items() if not schema.get("description")] == []


def test_every_code_is_explained_with_its_status(description: dict[str, Any]) -> None:
    explained = description["components"]["schemas"]["ErrorCode"]["description"]

    assert set(CODES) == set(ErrorCode)
    for code in ErrorCode:
        assert f"- `{code}`" in explained
    assert "- `queue_full` (429): " in explained


def test_the_glossary_has_no_term_that_is_not_used(description: dict[str, Any]) -> None:
    used = {
        name
        for schema, told in description["components"]["schemas"].items()
        for field in told.get("properties", {})
        for name in (field, f"{schema}.{field}")
    }
    parameters = {
        parameter["name"]
        for path in description["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
    }

    assert set(TERMS) - used - parameters == set()


def test_every_body_has_an_example_that_is_taken(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    bodies = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        for path in description["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    }

    assert bodies == {"EditRequest", "ComposeRequest"}
    EditRequest.model_validate(schemas["EditRequest"]["examples"][0])
    ComposeRequest.model_validate(schemas["ComposeRequest"]["examples"][0])


MODELS: dict[str, type[BaseModel]] = {
    "EditRequest": EditRequest,
    "ComposeRequest": ComposeRequest,
    "EditView": EditView,
    "EditEvent": EditEvent,
    "EditEstimate": EditEstimate,
    "CheckpointView": CheckpointView,
    "CompositionView": CompositionView,
    "WorkerView": WorkerView,
    "Problem": Problem,
}


def test_every_example_is_one_of_what_it_stands_for(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    shown = {name: schema["examples"] for name, schema in schemas.items() if "examples" in schema}

    assert shown.keys() == MODELS.keys()
    for name, examples in shown.items():
        MODELS[name].model_validate_json(json.dumps(examples[0]))
