"""The engine's front door: one request in, one measured edit out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from contract.memory import ModelShape, Workload
from worker.kn import saying
from worker.kn.composing import Composition, compose
from worker.kn.edit import Edit
from worker.kn.errors import BadRequestError
from worker.kn.evaluate.verification import Made, files_of, verify
from worker.kn.memory.allowance import Allowance
from worker.kn.memory.metering import Peak, metered
from worker.kn.memory.workload import shape_of_adapter, workload_of
from worker.kn.methods import references
from worker.kn.model.base import Base
from worker.kn.model.fingerprint import fingerprint
from worker.kn.model.provenance import provenance_of
from worker.kn.model.resident import Resident
from worker.kn.request import EditRequest
from worker.kn.result import EditResult
from worker.kn.stopwatch import Stopwatch, Watch
from worker.kn.write.adapter import Adapter
from worker.kn.write.keeping import KeptEdits
from worker.kn.write.stacking import joined, part
from worker.kn.write.weights import check_fits


class Editor:
    """Makes edits on a resident model, one after another.

    Each is taken back once it is measured; `keep` leaves it in the weights, where later ones are
    made on top, and `revert` gives back, bit for bit, what was before.
    """

    def __init__(
        self,
        resident: Resident,
        *,
        base: Base | None = None,
        reference_prompts: Sequence[str] | None = None,
        measure_memory: bool = True,
    ) -> None:
        """With `measure_memory` each edit observes its peak, which on the CPU makes a small model's
        edits take twice as long."""
        self.resident = resident
        self._measure_memory = measure_memory
        self.base = base or Base()
        self._kept = KeptEdits(resident)
        with resident.frozen():
            self._references = (
                references.encoded(resident, reference_prompts)
                if reference_prompts
                else references.sampled(resident)
            )

    @property
    def shape(self) -> ModelShape:
        return self.resident.shape

    @property
    def base_digest(self) -> str:
        return self.base.digest

    @property
    def provenance(self) -> dict[str, Any]:
        """What the bytes of an edit depend on besides the request and the base."""
        return provenance_of(self.resident, self._references)

    @property
    def architecture(self) -> str:
        return type(self.resident.model).__name__

    @property
    def dtype(self) -> str:
        return str(self.resident.dtype).removeprefix("torch.")

    @property
    def device(self) -> str:
        return str(self.resident.device)

    @property
    def on_host(self) -> bool:
        """Whether edits take main memory, not a device's own."""
        return self.resident.device.type == "cpu"

    def fingerprint(self) -> str:
        """A digest of all that an edit may touch, taken on the device; kept edits change it."""
        return fingerprint(self.resident)

    @property
    def tokenizer_json(self) -> bytes | None:
        """The fast tokenizer's `tokenizer.json`; None for a slow one."""
        backend = getattr(self.resident.tokenizer, "backend_tokenizer", None)
        return backend.to_str().encode() if backend is not None else None

    def parse(self, record: Mapping[str, Any]) -> EditRequest:
        """A request from its JSON; raises `BadRequestError`."""
        return EditRequest.parse(record)

    def edit(
        self,
        request: EditRequest,
        *,
        layers_per_pass: int | None = None,
        budget_bytes: int | None = None,
        room_bytes: Callable[[], int] | None = None,
        lowered: Callable[[int], None] = lambda layers: None,
        base: Adapter | None = None,
        said: Mapping[str, str] | None = None,
        pad_rank: int | None = None,
        watch: Watch = lambda phase, done, total: None,
        between: Callable[[], None] = lambda: None,
    ) -> EditResult:
        """Collect, select, write, evaluate; the weights are restored afterwards.

        With a `budget_bytes` above the weights, passes take fewer layers than `layers_per_pass`
        where that fits, and the threshold is raised up to `adaptive_threshold_max` if more neurons
        are found than fit; raises `OverBudgetError` before allocating what does not fit.
        `room_bytes` returns what others leave of the budget, and is called before each pass;
        `lowered` is called when passes take fewer layers from now on.
        On a `base`, the edit is made on the model with this adapter merged, and its own adapter
        contains both, the base's ranks first; `said` is what the base's edits made the model say,
        by prompt, which `calibrated` preserves like what kept edits say. `pad_rank` pads the rank
        to one that vLLM accepts, at least that large. `between` is called in each pass of the
        model, generated tokens included; like `watch`, it may raise to stop the edit. Raises a
        `KnError` when the request cannot be run or the edit is not worth keeping.
        """
        layers = len(self.resident.blocks) if layers_per_pass is None else layers_per_pass
        if layers < 1:
            raise BadRequestError(f"layers_per_pass is {layers}, not at least 1")
        with self._at_work(between) as peak:
            sayings = self._sayings(request, said)
            allowance = Allowance(
                self.shape,
                self._workload(request, sayings, base=base, pad_rank=pad_rank),
                layers,
                budget_bytes,
                on_host=self.on_host,
                room_bytes=room_bytes,
                lowered=lowered,
            )
            return Edit(
                resident=self.resident,
                request=request,
                references=self._references,
                said=sayings,
                kept_rank=sum(edit.adapter.own_rank for edit in self.kept),
                base=base,
                pad_rank=pad_rank,
                allowance=allowance,
                clock=Stopwatch(watch, peak),
            ).made()

    def read(
        self, files: Mapping[str, bytes], *, first: int = 0, end: int | None = None
    ) -> Adapter:
        """The adapter in `files`, or that of its ranks from `first` up to `end`."""
        whole = Adapter.read(files)
        return part(whole, first=first, end=whole.rank if end is None else end)

    def files(self, made: Made, base_model: str) -> dict[str, bytes]:
        """What was made as other tools load it: PEFT's files, and the edited columns."""
        with self.resident.frozen():
            return files_of(self.resident, made.adapter, base_model)

    def verify(
        self, made: Made, files: Mapping[str, bytes], *, between: Callable[[], None] = lambda: None
    ) -> None:
        """Apply what was stored and measure it again; raises `EditError` unless it is finite,
        changes the model, and answers as it did. `between` is called in each pass, as in `edit`."""
        with self.resident.frozen(), self.resident.interrupted_by(between):
            verify(self.resident, made.measured, files)

    def compose(
        self,
        adapters: Sequence[Adapter],
        requests: Sequence[EditRequest],
        *,
        pad_rank: int | None = None,
        watch: Watch = lambda phase, done, total: None,
        between: Callable[[], None] = lambda: None,
    ) -> Composition:
        """One adapter of several; each request is asked again of the model that has them all.

        Raises `RankTooLargeError`, `NoChangeError`, `NonFiniteError`, and `BadRequestError` for no
        adapter at all or one of a model of another shape.
        """
        if not adapters:
            raise BadRequestError("there is nothing to compose")
        for adapter in adapters:
            check_fits(self.resident, adapter)
        with self._at_work(between):
            return compose(
                self.resident,
                joined(adapters, pad_rank=pad_rank),
                requests,
                progress=lambda done, total: watch("evaluate", done, total),
            )

    @property
    def kept(self) -> tuple[EditResult, ...]:
        """The edits that the resident weights carry, the first one first."""
        return self._kept.edits

    def keep(self, result: EditResult) -> None:
        """Leave an edit in the resident weights, on top of those kept before.

        The adapter is added to the current weights; one made while others are kept was measured
        with them and may answer differently without them. The more is kept, the smaller the margin
        of a later edit from a single prompt, as the cost of edits to other facts adds up. Raises
        `AlreadyKeptError`, and `NoChangeError` or `NonFiniteError` if it changes nothing or
        overflows.
        """
        with self.resident.frozen():
            self._kept.add(result)

    def revert(self, result: EditResult | None = None) -> None:
        """Take one kept edit out of the weights, or all of them.

        The weights become, bit for bit, what they would be had it never been kept; edits kept
        later stay. Raises `NotKeptError`.
        """
        with self.resident.frozen():
            self._kept.remove(*(self.kept if result is None else (result,)))

    @contextmanager
    def applied(self, result: EditResult) -> Iterator[None]:
        """Keep the edit within the block, see `keep`."""
        self.keep(result)
        try:
            yield
        finally:
            if self._kept.holds(result):
                self.revert(result)

    def workload(
        self,
        request: EditRequest,
        *,
        base: Adapter | None = None,
        said: Mapping[str, str] | None = None,
        pad_rank: int | None = None,
    ) -> Workload:
        """The request's work in exact token counts, as far as it is known beforehand."""
        sayings = self._sayings(request, said)
        return self._workload(request, sayings, base=base, pad_rank=pad_rank)

    def _workload(
        self,
        request: EditRequest,
        sayings: Sequence[Sequence[int]],
        *,
        base: Adapter | None,
        pad_rank: int | None,
    ) -> Workload:
        work = workload_of(self.resident, request, references=self._references, said=sayings)
        return replace(work, base=shape_of_adapter(base) if base else None, pad_rank=pad_rank)

    def _sayings(self, request: EditRequest, by_base: Mapping[str, str] | None) -> list[list[int]]:
        """What kept edits and those of a base made the model say to other prompts."""
        kept = saying.of_kept(self.resident, self.kept)
        return saying.to_others(request, kept | saying.of_base(self.resident, by_base or {}))

    @contextmanager
    def _at_work(self, between: Callable[[], None]) -> Iterator[Peak | None]:
        devices = {parameter.device for parameter in self.resident.model.parameters()}
        metering = metered(devices) if self._measure_memory else nullcontext()
        with self.resident.frozen(), self.resident.interrupted_by(between), metering as peak:
            yield peak
