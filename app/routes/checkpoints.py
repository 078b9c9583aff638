"""`/checkpoints`: manifests, and the files they name."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.errors import CheckpointNotFoundError, FileNotInCheckpointError
from app.files import file_response
from app.openapi import problems
from app.service import Service, ServiceDependency
from contract.failures import ErrorCode
from contract.views import CheckpointView

router = APIRouter(tags=["checkpoints"])

_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file; its `ETag` is its SHA-256.", "content": _BYTES},
    206: {"description": "The range that was asked for.", "content": _BYTES},
    304: {"description": "Unchanged since `If-None-Match`."},
    **problems(
        ErrorCode.CHECKPOINT_NOT_FOUND,
        ErrorCode.FILE_NOT_FOUND,
        ErrorCode.RANGE_NOT_SATISFIABLE,
        ErrorCode.STORE_CORRUPT,
    ),
}


@router.get(
    "/checkpoints/{checkpoint_id}",
    operation_id="get_checkpoint",
    summary="Look at a checkpoint",
    responses=problems(ErrorCode.CHECKPOINT_NOT_FOUND),
)
def get_checkpoint(checkpoint_id: str, service: ServiceDependency) -> CheckpointView:
    """The manifest: which edit made it, its files, and what came of it."""
    return _found(service, checkpoint_id)


def get_file(checkpoint_id: str, path: str, http: Request, service: ServiceDependency) -> Response:
    """A file of a checkpoint, by the name it has in the manifest; `Range` resumes a download."""
    for file in _found(service, checkpoint_id).files:
        if file.path == path:
            return file_response(http, file, blob=service.store.blob(file.sha256))
    raise FileNotInCheckpointError(path)


for _method in ("GET", "HEAD"):
    router.add_api_route(
        "/checkpoints/{checkpoint_id}/files/{path:path}",
        get_file,
        methods=[_method],
        operation_id="get_file" if _method == "GET" else "head_file",
        summary="Fetch a file" if _method == "GET" else "Ask about a file",
        response_class=Response,
        responses=_FILE_ANSWERS,
    )


def _found(service: Service, checkpoint_id: str) -> CheckpointView:
    checkpoint = service.store.find(checkpoint_id)
    if checkpoint is None:
        raise CheckpointNotFoundError(checkpoint_id)
    return checkpoint
