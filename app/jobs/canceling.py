"""Canceling a job, be it an edit or a composition."""

from app.errors import EditFinalError
from app.service import Service
from contract.logs import EventLog
from contract.store.errors import StoreError
from contract.store.settling import settle

log = EventLog("app.canceling")


def cancel(service: Service, job_id: str) -> bool:
    """Request cancellation; returns whether the job exists. A running one stays `canceling` until
    its worker stops.

    Raises `EditFinalError`.
    """
    before = service.ledger.cancel(job_id)
    if before is None:
        return False
    if before.is_final:
        raise EditFinalError(job_id, status=before)
    log.info("cancel_asked", edit_id=job_id, found=before)
    _settle(service, job_id)
    return True


def _settle(service: Service, job_id: str) -> None:
    """A job whose worker was lost has nobody else to end it, at least not now."""
    try:
        settle(
            job_id,
            attempts=service.attempts,
            record_of=service.ledger.record,
            store=service.store,
        )
    except StoreError as error:
        log.warning("cancel_not_settled", edit_id=job_id, reason=str(error))
