"""`/workers`: who is working."""

from fastapi import APIRouter

from app.description.openapi import problems
from app.service import ServiceDependency
from contract.wire.failures import ErrorCode
from contract.wire.serving import WorkerList

router = APIRouter(tags=["models"])


@router.get(
    "/workers",
    operation_id="list_workers",
    summary="List live workers",
    responses=problems(ErrorCode.LEDGER_UNAVAILABLE),
)
def list_workers(service: ServiceDependency) -> WorkerList:
    """The live workers, with their devices and memory."""
    return WorkerList(items=service.ledger.presence.workers())
