"""What a request is built on: checkpoints that there are, of the model that is served."""

from collections.abc import Sequence

from app.checkpoint_errors import EditNotPublishedError
from app.errors import ApiError, FieldError, InvalidRequestError
from app.jobs.intake import model_for
from contract.store.store import CheckpointStore
from contract.wire.checkpoints import CheckpointView
from contract.wire.composition import ComposeRequest
from contract.wire.edits import EditRequest
from contract.wire.ids import checkpoint_id_of
from contract.wire.serving import ModelView


def base_edits(
    request: EditRequest, model: ModelView, store: CheckpointStore
) -> list[CheckpointView]:
    """The edits in the edit's base; raises `InvalidRequestError` unless all are there and were made
    on the model, and `UnreadableManifestError`."""
    if request.base is None:
        return []
    base = store.find(request.base)
    if base is None:
        raise _invalid("#/base", f"there is no checkpoint {request.base}")
    _check_kinship(base, model, pointer="#/base")
    return [_within(base, part.edit_id, store) for part in base.parts]


def _within(base: CheckpointView, edit_id: str, store: CheckpointStore) -> CheckpointView:
    edit = store.find(checkpoint_id_of(edit_id))
    if edit is None:
        raise _invalid("#/base", f"contains {edit_id}, whose checkpoint was deleted")
    return edit


def edits_of(
    request: ComposeRequest, store: CheckpointStore, models: Sequence[ModelView]
) -> tuple[ModelView, list[CheckpointView]]:
    """The edits, and the model that all of them were made on; raises `EditNotPublishedError`,
    `InvalidRequestError`, and what `model_for` raises."""
    edits = [_published(edit_id, i, store) for i, edit_id in enumerate(request.edits)]
    model = model_for(request.model or edits[0].model, models)
    for i, edit in enumerate(edits):
        _check_kinship(edit, model, pointer=f"#/edits/{i}")
    return model, edits


def _published(edit_id: str, i: int, store: CheckpointStore) -> CheckpointView:
    checkpoint = store.find(checkpoint_id_of(edit_id))
    if checkpoint is None or checkpoint.edit_id is None:  # a composition is no edit
        raise EditNotPublishedError(edit_id, pointer=f"#/edits/{i}")
    return checkpoint


def being_removed(request: EditRequest | ComposeRequest, checkpoint_id: str) -> ApiError:
    """Why a request is refused that is built on a checkpoint which is being taken away: as if it
    were gone already."""
    if isinstance(request, EditRequest):
        return _invalid("#/base", f"{checkpoint_id} is being taken away")
    at = [checkpoint_id_of(edit_id) for edit_id in request.edits].index(checkpoint_id)
    return EditNotPublishedError(request.edits[at], pointer=f"#/edits/{at}")


def _check_kinship(checkpoint: CheckpointView, model: ModelView, *, pointer: str) -> None:
    if checkpoint.model != model.name:
        raise _invalid(pointer, f"was made on model {checkpoint.model!r}, not {model.name!r}")
    if checkpoint.base_digest != model.base_digest:
        raise _invalid(pointer, f"was made on other weights than {model.name!r} has now")


def _invalid(pointer: str, detail: str) -> InvalidRequestError:
    return InvalidRequestError([FieldError(pointer=pointer, detail=detail)])
