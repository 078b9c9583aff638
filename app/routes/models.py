"""`/models`: what is, or was, served here."""

from fastapi import APIRouter

from app.description.openapi import problems
from app.service import ServiceDependency
from contract.wire.failures import ErrorCode
from contract.wire.serving import ModelList

router = APIRouter(tags=["models"])


@router.get(
    "/models",
    operation_id="list_models",
    summary="List models",
    responses=problems(ErrorCode.LEDGER_UNAVAILABLE),
)
def list_models(service: ServiceDependency) -> ModelList:
    """Every model that a worker has ever served, with its live workers and queued edits."""
    return ModelList(items=service.ledger.presence.models())
