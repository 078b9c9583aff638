"""Checkpoints as they are looked up: published ones in the store, the others in the ledger."""

from app.checkpoint_errors import CheckpointNotFoundError, NoCompositionError
from app.errors import ApiError, EditGoneError
from app.service import Service
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointPage, CheckpointView, CompositionView
from contract.wire.composition import Composition
from contract.wire.ids import is_checkpoint_id
from contract.wire.lifecycle import EditStatus


def found_checkpoint(service: Service, checkpoint_id: str) -> CheckpointView:
    """A published checkpoint; raises `CheckpointNotFoundError`."""
    checkpoint = service.store.find(checkpoint_id)
    if checkpoint is None:
        raise CheckpointNotFoundError(checkpoint_id)
    return checkpoint


def check_published(service: Service, checkpoint_id: str) -> None:
    """Raises `CheckpointNotFoundError`; a manifest that cannot be read is there all the same."""
    if checkpoint_id not in service.store.ids():
        raise CheckpointNotFoundError(checkpoint_id)


def seen_checkpoint(service: Service, checkpoint_id: str) -> CheckpointView | CompositionView:
    """A checkpoint, or a composition on its way to one; raises `CheckpointNotFoundError`, and
    `EditGoneError` for a composition that ended long ago without a checkpoint."""
    checkpoint = service.store.find(checkpoint_id)
    if checkpoint is not None:
        return checkpoint
    if not is_checkpoint_id(checkpoint_id):
        raise CheckpointNotFoundError(checkpoint_id)
    composition = service.ledger.find_composition(checkpoint_id)
    if composition is None and service.ledger.is_gone(checkpoint_id):
        raise EditGoneError(checkpoint_id)
    if composition is None:
        raise CheckpointNotFoundError(checkpoint_id)
    if composition.status is EditStatus.SUCCEEDED:  # published since we looked, or taken away
        return found_checkpoint(service, checkpoint_id)
    return composition


def check_composition(service: Service, checkpoint_id: str) -> None:
    """Raises `NoCompositionError` and `EditGoneError`."""
    if not is_checkpoint_id(checkpoint_id) or service.ledger.record(checkpoint_id) is None:
        raise missing_composition(service, checkpoint_id)


def missing_composition(service: Service, checkpoint_id: str) -> ApiError:
    """Why there is no such composition."""
    if is_checkpoint_id(checkpoint_id) and service.ledger.is_gone(checkpoint_id):
        return EditGoneError(checkpoint_id)
    return NoCompositionError(checkpoint_id)


def page_of(
    store: CheckpointStore, *, before: str | None, limit: int, neurons: bool
) -> CheckpointPage:
    """Checkpoints, newest first, that are older than the id `before`, with their neurons or
    without."""
    ids = [i for i in store.ids() if before is None or i < before]
    found = store.readable(ids[:limit])
    return CheckpointPage(
        items=tuple(found if neurons else map(_without_neurons, found)),
        next_cursor=ids[limit - 1] if len(ids) > limit else None,
    )


def _without_neurons(checkpoint: CheckpointView) -> CheckpointView:
    if isinstance(checkpoint.result, Composition):
        return checkpoint
    result = checkpoint.result.model_copy(update={"neurons": ()})
    return checkpoint.model_copy(update={"result": result})


def dependents_of(checkpoint_id: str, service: Service) -> list[str]:
    """The checkpoints that are built on it, and those that jobs will build on it, newest first;
    to be asked while it is marked as being removed, so that no job comes after. Raises
    `NewerManifestError`, since what a later version has built cannot be told."""
    # The ledger first: what is published in between is found in the store.
    building, store = service.ledger.building(), service.store
    readable = store.readable(store.ids(), newer_too=True)
    built = building | {c.id: c.built_on for c in readable}
    return sorted((other for other, on in built.items() if checkpoint_id in on), reverse=True)
