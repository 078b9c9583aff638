"""The service's own description: every status that a route may answer, problems included."""

from typing import Any

from fastapi import FastAPI

from app.description.examples import EXAMPLES
from app.description.glossary import CODES, meaning
from app.errors import STATUS
from app.guards.authentication import OPEN_PATHS
from app.problems import MEDIA_TYPE, Problem
from contract.wire.failures import ErrorCode

ANYWHERE = (ErrorCode.PAYLOAD_TOO_LARGE, ErrorCode.INTERNAL)

TAGS = [
    {"name": "edits", "description": "Create edits and follow them."},
    {
        "name": "checkpoints",
        "description": "The adapters and models that finished edits published.",
    },
    {"name": "models", "description": "The served models and their workers."},
    {"name": "health", "description": "For load balancers and operators."},
]


def problems(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer these codes, besides those of any route."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, *ANYWHERE):
        entry = described.setdefault(STATUS[code].value, {"model": Problem, "description": ""})
        entry["description"] = ", ".join(filter(None, [entry["description"], f"`{code.value}`"]))
    return described


class Api(FastAPI):
    """FastAPI that describes errors as they are sent, and keys where they are asked for."""

    def __init__(self, *, asks_for_keys: bool, **told: Any) -> None:
        super().__init__(**told)
        self._asks_for_keys = asks_for_keys

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            schema = super().openapi()
            for path in schema["paths"].values():
                for operation in path.values():
                    operation["responses"] = _as_sent(operation["responses"])
                    for parameter in operation.get("parameters", ()):
                        parameter["schema"] = _never_null(parameter["schema"])
            if self._asks_for_keys:
                _guard(schema)
            _explain(schema)
            for name in ("HTTPValidationError", "ValidationError"):
                schema["components"]["schemas"].pop(name, None)
        return super().openapi()


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter may be left out, but there is no way to write null in a URL or a header."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return schema
    told = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**told, **kinds[0]}


def _explain(schema: dict[str, Any]) -> None:
    """Say what every name means, where its model does not."""
    for name, described in schema["components"]["schemas"].items():
        for field, told in described.get("properties", {}).items():
            _describe(told, meaning(name, field))
        if name in EXAMPLES:
            described["examples"] = [EXAMPLES[name]]
    for path in schema["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                _describe(parameter, meaning("", parameter["name"]))
    codes = schema["components"]["schemas"].get("ErrorCode")
    if codes is not None:
        codes["description"] = "\n".join([codes["description"], *map(_of_code, CODES)])


def _describe(told: dict[str, Any], text: str | None) -> None:
    if text is not None:
        told.setdefault("description", text)


def _of_code(code: ErrorCode) -> str:
    status = f" ({STATUS[code].value})" if code in STATUS else ""
    return f"- `{code.value}`{status}: {CODES[code]}"


def _guard(schema: dict[str, Any]) -> None:
    """Say where a key is asked for, and what is answered where none is known."""
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, operations in schema["paths"].items():
        for operation in operations.values() if path not in OPEN_PATHS else ():
            operation["security"] = [{"key": []}]
            for code in (ErrorCode.UNAUTHORIZED, ErrorCode.KEYS_UNAVAILABLE):
                told = operation["responses"].setdefault(
                    str(STATUS[code].value), {"description": "", "content": problem}
                )
                names = filter(None, [told["description"], f"`{code.value}`"])
                told["description"] = ", ".join(names)


def _as_sent(responses: dict[str, Any]) -> dict[str, Any]:
    """Errors as problem documents, without the 422 that FastAPI adds to every path parameter."""
    sent = {}
    for status, response in responses.items():
        if int(status) >= 400:
            schema = response["content"]["application/json"]
            if schema["schema"]["$ref"].endswith("/HTTPValidationError"):
                continue
            response = response | {"content": {MEDIA_TYPE: schema}}
        sent[status] = response
    return sent
