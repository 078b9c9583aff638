"""An engine that edits nothing, at a chosen pace: for tests of the worker's service."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contract.memory import ModelShape, SequenceShape, Workload
from worker.memory.device import MemoryReading


@dataclass(frozen=True)
class Base:
    """A model that came from no directory."""

    directory = None
    files = ()


PHASES = ("collect", "select", "write", "evaluate")
GIB = 1024**3


@dataclass(frozen=True)
class FakeAdapter:
    """Some ranks of an edit's content."""

    content: bytes
    rank: int = 1
    own_rank: int = 1


@dataclass(frozen=True)
class FakeResult:
    outcome: str
    content: bytes = b""
    adapter: FakeAdapter = FakeAdapter(b"")

    def as_json(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "before": "Paris",
            "after": "Rome",
            "answers": [
                {
                    "role": role,
                    "prompt": f"{self.content.decode()} is ",
                    "expected": "Rome",
                    "before": "Paris",
                    "after": "Rome.",
                }
                for role in ("prompt", "rephrase")
            ],
            "neurons": [{"layer": 1, "unit": 7, "score": 0.5}],
            "completeness": 0.01,
            "metrics": {"rewrite_exact": 1.0},
            "memory": {"predicted_peak_bytes": 2000, "observed_peak_bytes": 1000},
            "timings": {"collect": 0.25},
            "warnings": [],
        }


class FakeComposition(FakeResult):
    """Each member answers as an edit does."""

    def as_json(self) -> Any:
        told = super().as_json()
        names = ("outcome", "before", "after", "answers", "metrics")
        return [{name: told[name] for name in names}] * self.adapter.rank


@dataclass
class FakeEditor:
    """Passes every phase in two steps of `pause_s`; `during` is called in the middle."""

    outcome: str = "held"
    content: bytes = b"weights"
    pause_s: float = 0.0
    weights: str = "pristine"
    during: Callable[[], None] = lambda: None
    edited: list[Mapping[str, Any]] = field(default_factory=list)
    layers_per_pass: list[int | None] = field(default_factory=list)
    bases: list[FakeAdapter | None] = field(default_factory=list)
    said: list[Mapping[str, str] | None] = field(default_factory=list)
    work_said: list[Mapping[str, str] | None] = field(default_factory=list)
    verified: list[Mapping[str, bytes]] = field(default_factory=list)
    on_verify: Callable[[], None] = lambda: None

    architecture = "LlamaForCausalLM"
    dtype = "float32"
    device = "cpu"
    on_host = True
    base_digest = "b" * 64
    provenance: Mapping[str, Any] = field(
        default_factory=lambda: {
            "device": "cpu",
            "dtype": "float32",
            "threads": 1,
            "software": {"torch": "2"},
            "seed": 0,
            "references_sha256": "0" * 64,
        }
    )
    base = Base()
    tokenizer_json = b'{"version": "1.0"}'
    shape = ModelShape(
        n_layer=2, d_model=8, d_ff=16, n_head=2, n_kv_head=2, d_head=4, n_vocab=32, tied=False
    )

    def fingerprint(self) -> str:
        return self.weights

    def parse(self, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
        return mapping

    def workload(
        self,
        request: Mapping[str, Any],
        *,
        said: Mapping[str, str] | None = None,
        **told: Any,
    ) -> Workload:
        self.work_said.append(said)
        sequence = SequenceShape(prompt_tokens=6, answer_tokens=1)
        return Workload(
            attributed=(sequence,), written=(sequence,), evaluated=(sequence,), steps=100
        )

    def edit(
        self,
        request: Mapping[str, Any],
        *,
        layers_per_pass: int | None = None,
        budget_bytes: int | None = None,
        room_bytes: Callable[[], int] | None = None,
        lowered: Callable[[int], None] = lambda layers: None,
        base: FakeAdapter | None = None,
        said: Mapping[str, str] | None = None,
        pad_rank: int | None = None,
        watch: Callable[[str, int, int], None] | None = None,
        between: Callable[[], None] = lambda: None,
    ) -> FakeResult:
        assert watch is not None
        self.edited.append(request)
        self.layers_per_pass.append(layers_per_pass)
        for phase in PHASES:
            for done in (1, 2):
                time.sleep(self.pause_s)
                watch(phase, done, 2)
                between()
            if phase == "select":
                self.during()
        rank = 1 + (base.rank if base else 0)
        self.bases.append(base)
        self.said.append(said)
        adapter = FakeAdapter(self.content, max(rank, pad_rank or 0), own_rank=rank)
        return FakeResult(self.outcome, self.content, adapter)

    def read(
        self, files: Mapping[str, bytes], *, first: int = 0, end: int | None = None
    ) -> FakeAdapter:
        rank = (end or 1) - first
        return FakeAdapter(files["adapter_model.safetensors"], rank, own_rank=rank)

    def compose(
        self,
        adapters: Sequence[FakeAdapter],
        requests: Sequence[Mapping[str, Any]],
        *,
        pad_rank: int | None = None,
        watch: Callable[[str, int, int], None],
        between: Callable[[], None],
    ) -> FakeComposition:
        between()
        self.edited += requests
        for done in range(len(requests)):
            watch("evaluate", done, len(requests))
        content = b"+".join(adapter.content for adapter in adapters)
        n = len(adapters)
        return FakeComposition(self.outcome, content, FakeAdapter(content, n, own_rank=n))

    def files(self, edited: FakeResult, base_model: str) -> dict[str, bytes]:
        return {
            "adapter_config.json": b'{"base_model_name_or_path": "%b"}' % base_model.encode(),
            "adapter_model.safetensors": edited.content,
        }

    def verify(
        self,
        edited: FakeResult,
        files: Mapping[str, bytes],
        *,
        between: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_verify()
        between()
        self.verified.append(files)


@dataclass
class FakeMemory:
    """So many bytes are free."""

    free_bytes: int = GIB
    own_bytes: int = 0
    released: int = 0

    def read(self) -> MemoryReading:
        return MemoryReading(self.free_bytes, total_bytes=2 * GIB, own_bytes=self.own_bytes)

    def release(self) -> None:
        self.released += 1
