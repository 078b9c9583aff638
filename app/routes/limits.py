"""`/limits`: how much may be asked for."""

from fastapi import APIRouter

from app.description.openapi import problems
from app.service import ServiceDependency
from contract.wire.limits import Limits

router = APIRouter(tags=["health"])


@router.get(
    "/limits",
    operation_id="get_limits",
    summary="Get the service's limits",
    responses=problems(),
)
async def get_limits(service: ServiceDependency) -> Limits:
    """How large a request may be, how long things are kept, and how many may wait."""
    return service.limits
