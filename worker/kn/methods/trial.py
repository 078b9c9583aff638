"""A write during its search: the model computes as if it had been made."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from torch import Tensor

from worker.kn.methods.whitening import Direction
from worker.kn.model.layout import Block
from worker.kn.model.resident import Resident


@contextmanager
def written(
    resident: Resident,
    directions: Sequence[Direction],
    B: Sequence[Tensor],
    *,
    times: float = 1.0,
) -> Iterator[None]:
    """The model computes as if `times` B·A were added to its columns; gradients reach B."""
    with ExitStack() as hooked:
        for direction, b in zip(directions, B, strict=True):
            hooked.enter_context(_adding(resident.blocks[direction.layer], direction, b, times))
        yield


@contextmanager
def _adding(block: Block, direction: Direction, b: Tensor, times: float) -> Iterator[None]:
    def add(_: object, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        response = inputs[0][..., direction.units].to(b.dtype) @ direction.A.T  # (S, N, J)
        return output + (times * response @ b.T).to(output.dtype)

    handle = block.down.register_forward_hook(add)
    try:
        yield
    finally:
        handle.remove()
