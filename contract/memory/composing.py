"""Bytes of composing finished edits: stacking their adapters, and evaluating each edit again.

Everything is in main memory except the edited columns and the evaluation. Only composing fewer
edits takes less.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from contract.memory.evaluation import evaluate_stages
from contract.memory.items import Item, Stage
from contract.memory.ranks import filled_rank
from contract.memory.shape import FLOAT32_BYTES, ModelShape
from contract.memory.work import AdapterShape, Chosen, Workload
from contract.memory.writing import adapter, adapter_bytes, columns_stage, delta

COPIES_OF_FILES = 3
"""The files as written, as read back, and as parsed into an adapter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composing:
    """What putting edits together asks of the engine; `asked` are the edits' own workloads, of
    which only the questions count."""

    members: tuple[AdapterShape, ...]
    together: Chosen
    asked: tuple[Workload, ...]
    pad_rank: int | None = None

    @property
    def stacked_rank(self) -> int:
        """Each edit has directions of its own, whatever layers it writes."""
        return sum(member.rank for member in self.members)

    @property
    def rank(self) -> int:
        own, least = self.stacked_rank, self.pad_rank
        return own if least is None else filled_rank(own, least=least) or own

    @property
    def questions(self) -> list[Workload]:
        """What is asked of the model that has them all, each kind once."""
        return list(dict.fromkeys(map(self._of_all, self.asked)))

    def _of_all(self, asked: Workload) -> Workload:
        return replace(asked, chosen=self.together, rank=self.rank, base=None, pad_rank=None)


def compose_stages(shape: ModelShape, work: Composing) -> Iterator[Stage]:
    """Every moment until the edits are asked that may be the peak."""
    members = _members(shape, work)
    stacked = replace(work.questions[0], rank=work.stacked_rank)
    twice = replace(adapter(shape, stacked), n_bytes=2 * adapter(shape, stacked).n_bytes)
    yield Stage(name="compose_stack", items=(twice, delta(shape, stacked), members))
    yield from (_with(stage, members) for stage in _asking(shape, work))


def publish_stages(shape: ModelShape, work: Composing) -> Iterator[Stage]:
    """Every moment after it that may be: the files are written, read back, and asked again."""
    kept = (_members(shape, work), replace(adapter(shape, work.questions[0]), name="read_adapter"))
    for stage in _asking(shape, work):
        yield _with(stage, *kept, _files(shape, work))


def _asking(shape: ModelShape, work: Composing) -> Iterator[Stage]:
    yield columns_stage(shape, work.questions[0], name="compose_columns")
    for whole in work.questions:
        yield from evaluate_stages(shape, whole)


def _with(stage: Stage, *items: Item) -> Stage:
    return replace(stage, items=(*stage.items, *items))


def _members(shape: ModelShape, work: Composing) -> Item:
    """A and B of each edit, as they were read."""
    return Item(
        name="member_adapters",
        n_bytes=sum(adapter_bytes(shape, member) for member in work.members),
        depends_on="edits",
        on_host=True,
    )


def _files(shape: ModelShape, work: Composing) -> Item:
    """A over all units of each layer, B, and the edited columns."""
    spread = work.together.layers * work.rank * (shape.d_ff + shape.d_model)
    columns = work.together.neurons * shape.d_model * shape.dtype_bytes
    one = spread * min(shape.dtype_bytes, FLOAT32_BYTES) + columns
    return Item(
        name="files", n_bytes=COPIES_OF_FILES * one, depends_on="edits, pad_rank", on_host=True
    )
