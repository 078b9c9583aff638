"""`/metrics`: for Prometheus."""

import time

from fastapi import APIRouter, Response

from app.description.openapi import problems
from app.exposition import MEDIA_TYPE, exposition
from app.metrics import families, read
from app.service import ServiceDependency
from contract.wire.failures import ErrorCode

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus' text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(ErrorCode.LEDGER_UNAVAILABLE),
    },
)
def metrics(service: ServiceDependency) -> Response:
    """Edits by state, workers with their memory, what edits took of it, and requests answered."""
    told = exposition(families(read(service), now_s=time.time()))
    return Response(told, media_type=MEDIA_TYPE)
