"""The time that the necessary matrix products take: what no implementation of the row method beats.

For a prompt of N tokens, one answer token, m steps and n_layer blocks these are

- the prompt once: every projection of every block, of the last block only what rows look back at
  (keys and values) and the last position; the causal attention's two products;
- m rows of each block on their way up and their gradients on the way down, so m · l rows in block
  l = 1..n_layer − 1: the block's seven projections and the attention's two products, each
  forward and once more backward, with respect to inputs only;
- the head, forward and backward, for m · n_layer rows;
- the spread of gradients over d_ff by W_down, and for the gate as the unit the entries' own W_down.

They are run bare, one after another, with the model's own weights and results kept in buffers that
are there already: no norm, no activation function, no mask, no softmax, no autograd. The floor is
their time by `torch.matmul`, the rate that any code gets from torch. oneDNN is faster on some
machines, for code that may keep a kernel for each shape; the time by it is told beside the floor.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.kn import Resident


@dataclass(frozen=True, slots=True)
class Product:
    """One matrix product of the floor: `out` = a · b."""

    a: Tensor
    b: Tensor
    out: Tensor

    @classmethod
    def of(cls, n_rows: int, weight: Tensor) -> "Product":
        """`n_rows` random rows times a weight."""
        return cls.of_two(weight.new_empty(n_rows, weight.shape[0]).normal_(), weight)

    @classmethod
    def of_two(cls, a: Tensor, b: Tensor) -> "Product":
        return cls(a, b, a @ b)

    @property
    def n_flop(self) -> int:
        return 2 * self.out.numel() * self.a.shape[-1]


Multiply = Callable[[Product], object]


def by_matmul(p: Product) -> None:
    torch.matmul(p.a, p.b, out=p.out)


def by_onednn(p: Product) -> None:
    """Products with weights by oneDNN; attention's are torch's in any case."""
    if p.b.ndim == 2:
        torch.ops.mkldnn._linear_pointwise(p.a, p.b.t(), None, "none", [], "")
    else:
        by_matmul(p)


def seconds_of(products: list[Product], multiply: Multiply = by_matmul) -> float:
    """The time of one run through all products."""
    began = time.perf_counter()
    for each in products:
        multiply(each)
    return time.perf_counter() - began


@torch.no_grad()
def necessary(resident: Resident, *, prompt_tokens: int, steps: int, gate: bool) -> list[Product]:
    """The products that one statement with one answer token cannot do without."""
    return [
        *_prompt(resident, prompt_tokens),
        *_rows(resident, prompt_tokens, steps, gate=gate),
    ]


def _prompt(resident: Resident, n: int) -> Iterator[Product]:
    *lower, last = resident.blocks
    for block in lower:
        yield from (Product.of(n, linear.weight.T) for linear in block.linears)
        yield from _attention(resident, n_rows=n, n_seen=n)
    for linear in last.linears:
        is_seen = linear in (last.attention.key, last.attention.value)
        yield Product.of(n if is_seen else 1, linear.weight.T)
    yield from _attention(resident, n_rows=1, n_seen=n)


def _rows(resident: Resident, n: int, steps: int, *, gate: bool) -> Iterator[Product]:
    for above, block in enumerate(resident.blocks):
        if gate:
            yield Product.of(steps, block.down_weight.T)
        if above:
            yield from (Product.of(steps * above, w.weight.T) for w in block.linears)
            yield from _attention(resident, n_rows=steps * above, n_seen=n - 1)
    yield Product.of(steps * len(resident.blocks), resident.head.weight.T)
    yield Product.of(steps * len(resident.blocks), resident.head.weight)
    for above, block in reversed(list(enumerate(resident.blocks))):
        if above:
            yield from (Product.of(steps * above, w.weight) for w in block.linears)
            yield from _attention(resident, n_rows=steps * above, n_seen=n - 1)
        yield Product.of(steps if gate else 1, block.down_weight)


def _attention(resident: Resident, *, n_rows: int, n_seen: int) -> Iterator[Product]:
    """Queries times keys, and shares times values; of the same shapes on the way back."""
    shape = resident.shape
    keys = torch.randn(shape.n_head, n_seen, shape.d_head)
    query = torch.randn(shape.n_head, n_rows, shape.d_head)
    yield Product.of_two(query, keys.transpose(1, 2))
    yield Product.of_two(torch.rand(shape.n_head, n_rows, n_seen), keys)
