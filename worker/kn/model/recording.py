"""One pass over whole prompts, recording what the row passes need."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from worker.kn.model.layout import Block
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch


@dataclass(frozen=True, slots=True)
class Trace:
    """What one block computed at the S × J answer positions."""

    mid: Tensor  # (S, J, d_model): the residual stream before the feed-forward's output is added
    out: Tensor  # (S, J, d_model): the feed-forward's output
    hidden: Tensor  # (S, J, d_ff): silu(gate) · up, the input of down_proj
    gate: Tensor  # (S, J, d_ff): gate_proj's output, before the activation function
    up: Tensor  # (S, J, d_ff)


@dataclass(frozen=True, slots=True)
class Recording:
    """A batch, the keys and values of all its positions, and a trace of each block."""

    batch: Batch
    keys: tuple[Tensor, ...]  # by block: (S, n_kv_head, N, d_head)
    values: tuple[Tensor, ...]
    traces: tuple[Trace, ...]
    last: Tensor  # (S, J, d_model): the final norm's output, which the head reads


class _Recorder:
    """Collects, through hooks, one block's parts at the answer positions."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self.parts: dict[str, Tensor] = {}

    def keep(self, name: str, value: Tensor) -> None:
        self.parts[name] = self._batch.at_answers(value)

    @contextmanager
    def watching(self, block: Block) -> Iterator[None]:
        handles = [
            block.norm.register_forward_pre_hook(lambda _, x: self.keep("mid", x[0])),
            block.gate.register_forward_hook(lambda _, x, y: self.keep("gate", y)),
            block.up.register_forward_hook(lambda _, x, y: self.keep("up", y)),
            block.down.register_forward_hook(self._keep_down),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _keep_down(self, _: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        self.keep("hidden", inputs[0])
        self.keep("out", output)

    @property
    def trace(self) -> Trace:
        return Trace(**self.parts)


@torch.no_grad()
def record(resident: Resident, batch: Batch) -> Recording:
    """Run the prompts once, as they are."""
    recorders = [_Recorder(batch) for _ in resident.blocks]
    with ExitStack() as watched:
        for recorder, block in zip(recorders, resident.blocks, strict=True):
            watched.enter_context(recorder.watching(block))
        output = resident.decoder(input_ids=batch.ids, use_cache=True)
    cache = output.past_key_values.layers
    return Recording(
        batch=batch,
        keys=tuple(layer.keys for layer in cache),
        values=tuple(layer.values for layer in cache),
        traces=tuple(recorder.trace for recorder in recorders),
        last=batch.at_answers(output.last_hidden_state),
    )
