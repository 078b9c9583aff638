"""Whether what was stored of an edit is the edit: asked of the stored bytes alone."""

from collections.abc import Mapping

from worker.kn import evaluation
from worker.kn.adapter import Adapter
from worker.kn.errors import NotReproducedError
from worker.kn.overlay import OVERLAY_FILE, overlay_of
from worker.kn.resident import Resident
from worker.kn.result import EditResult
from worker.kn.weights import edited


def files_of(resident: Resident, adapter: Adapter, base_model: str) -> dict[str, bytes]:
    """An adapter as files: PEFT's two, and the edited columns of this model.

    Raises `NoChangeError` and `NonFiniteError`.
    """
    files = adapter.files(base_model)
    return files | {OVERLAY_FILE: overlay_of(resident, Adapter.read(files))}


def verify(resident: Resident, result: EditResult, files: Mapping[str, bytes]) -> None:
    """Apply `files` to the pristine weights and ask everything again, in the batches of before.

    Raises `NoChangeError`, `NonFiniteError`, and `NotReproducedError` when an answer or an edited
    column is another.
    """
    adapter = Adapter.read(files)
    if overlay_of(resident, adapter) != files[OVERLAY_FILE]:
        raise NotReproducedError(expected="its columns", found="others")
    with resident.frozen(), edited(resident, adapter):
        replies = evaluation.ask(resident, result.questions, new_tokens=result.new_tokens)
    for expected, found in zip(result.after, replies, strict=True):
        if found != expected:
            raise NotReproducedError(expected=expected.text, found=found.text)
