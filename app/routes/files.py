"""`/checkpoints/{id}/files` and `/model`: an adapter as it is kept, a model as it is made."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from app.checkpoint_errors import FileNotInCheckpointError
from app.description.openapi import problems
from app.files.contents import Content, StoredContent
from app.files.full_model import full_model
from app.files.response import file_response
from app.jobs.checkpoints import found_checkpoint
from app.service import ServiceDependency
from contract.wire.checkpoints import ModelFile, ModelFileList
from contract.wire.failures import ErrorCode

router = APIRouter(tags=["checkpoints"])

_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file; its `ETag` is strong.", "content": _BYTES},
    206: {"description": "The requested range.", "content": _BYTES},
    304: {"description": "Unchanged since `If-None-Match`."},
    **problems(
        ErrorCode.CHECKPOINT_NOT_FOUND,
        ErrorCode.FILE_NOT_FOUND,
        ErrorCode.RANGE_NOT_SATISFIABLE,
        ErrorCode.STORE_CORRUPT,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.BASE_UNAVAILABLE,
        ErrorCode.FULL_MODEL_UNAVAILABLE,
    ),
}


@router.get(
    "/checkpoints/{checkpoint_id}/model",
    operation_id="list_model_files",
    summary="List the full model's files",
    responses=problems(
        ErrorCode.CHECKPOINT_NOT_FOUND,
        ErrorCode.STORE_CORRUPT,
        ErrorCode.STORE_UNAVAILABLE,
        ErrorCode.BASE_UNAVAILABLE,
        ErrorCode.FULL_MODEL_UNAVAILABLE,
    ),
)
def list_model_files(checkpoint_id: str, service: ServiceDependency) -> ModelFileList:
    """The files of the edited model: those of the base model, with edited weights."""
    contents = full_model(found_checkpoint(service, checkpoint_id), service.store)
    return ModelFileList(
        items=tuple(ModelFile(path=c.path, size_bytes=c.size_bytes, etag=c.tag) for c in contents)
    )


def get_file(checkpoint_id: str, path: str, http: Request, service: ServiceDependency) -> Response:
    """A file of a checkpoint, by its name in the manifest; `Range` resumes a download."""
    files = found_checkpoint(service, checkpoint_id).files
    return _one_of([StoredContent(file, service.store) for file in files], path, http)


def get_model_file(
    checkpoint_id: str, path: str, http: Request, service: ServiceDependency
) -> Response:
    """A file of the edited model, built while it is sent; `Range` resumes a download."""
    return _one_of(full_model(found_checkpoint(service, checkpoint_id), service.store), path, http)


for _method in ("GET", "HEAD"):
    for _where, _noun, _serve in (
        ("files", "file", get_file),
        ("model", "model_file", get_model_file),
    ):
        router.add_api_route(
            f"/checkpoints/{{checkpoint_id}}/{_where}/{{path:path}}",
            _serve,
            methods=[_method],
            operation_id=f"{_method.lower()}_{_noun}",
            summary="Fetch a file" if _method == "GET" else "Get a file's headers",
            response_class=Response,
            responses=_FILE_ANSWERS,
        )


def _one_of(contents: Sequence[Content], path: str, http: Request) -> Response:
    for content in contents:
        if content.path == path:
            return file_response(http, content)
    raise FileNotInCheckpointError(path)
