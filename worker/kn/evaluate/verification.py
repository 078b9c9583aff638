"""Whether the stored files of an edit reproduce it: only the stored bytes are used."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from worker.kn.errors import NotReproducedError
from worker.kn.evaluate.measurement import Measurement
from worker.kn.evaluate.replies import Reply
from worker.kn.model.resident import Resident
from worker.kn.write.adapter import Adapter
from worker.kn.write.overlay import OVERLAY_FILE, overlay_of
from worker.kn.write.weights import edited


class Made(Protocol):
    """What the engine made: one edit, or a composition of several."""

    @property
    def adapter(self) -> Adapter: ...
    @property
    def measured(self) -> Sequence[Measurement]: ...


def files_of(resident: Resident, adapter: Adapter, base_model: str) -> dict[str, bytes]:
    """An adapter as files: PEFT's two, and the edited columns of this model.

    Raises `NoChangeError` and `NonFiniteError`.
    """
    files = adapter.files(base_model)
    return files | {OVERLAY_FILE: overlay_of(resident, Adapter.read(files))}


def verify(resident: Resident, measured: Iterable[Measurement], files: Mapping[str, bytes]) -> None:
    """Apply `files` to the pristine weights and ask everything again, in the same batches.

    Raises `NoChangeError`, `NonFiniteError`, and `NotReproducedError` when an answer or an edited
    column differs.
    """
    adapter = Adapter.read(files)
    if overlay_of(resident, adapter) != files[OVERLAY_FILE]:
        raise NotReproducedError("its edited columns differ from those its adapter gives")
    with edited(resident, adapter):
        for measurement in measured:
            _compare(measurement, measurement.asked.again(resident))


def _compare(expected: Measurement, found: Measurement) -> None:
    for made, stored in zip(expected.after, found.after, strict=True):
        if stored != made:
            raise NotReproducedError(_difference(made, stored))


def _difference(made: Reply, stored: Reply) -> str:
    if stored.text == made.text:
        return "its tokens differ"
    return f"it answers {stored.text!r}, not {made.text!r}"
