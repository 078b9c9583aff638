"""The least time that collecting takes: each matrix product it needs, at a device's own rates."""

from collections.abc import Iterator
from dataclasses import dataclass

from contract.memory import ModelShape


@dataclass(frozen=True, slots=True)
class Rates:
    """What a device does per second, measured on it."""

    flops: float
    n_bytes: float


@dataclass(frozen=True, slots=True)
class Matmul:
    """(rows, inner) @ (inner, columns)."""

    rows: int
    inner: int
    columns: int

    @property
    def flops(self) -> int:
        return 2 * self.rows * self.inner * self.columns

    @property
    def n_values(self) -> int:
        """What is read and written, once each."""
        return self.rows * self.inner + self.inner * self.columns + self.rows * self.columns

    def seconds(self, rates: Rates, *, dtype_bytes: int) -> float:
        return max(self.flops / rates.flops, self.n_values * dtype_bytes / rates.n_bytes)


@dataclass(frozen=True, slots=True)
class Pass:
    """One way through the network, or a part of one."""

    name: str
    products: tuple[Matmul, ...]

    @property
    def flops(self) -> int:
        return sum(product.flops for product in self.products)

    @property
    def n_values(self) -> int:
        return sum(product.n_values for product in self.products)

    def seconds(self, rates: Rates, *, dtype_bytes: int) -> float:
        return sum(product.seconds(rates, dtype_bytes=dtype_bytes) for product in self.products)


def passes_of(shape: ModelShape, *, prompt_tokens: int, steps: int) -> tuple[Pass, ...]:
    """Integrated gradients of one answer token, all layers in one pass (`worker/kn/collect/rows`).

    The rows of block l enter after it, so block l carries l · steps of them; weights ask for no
    gradient, so that the way down costs what the way up does.
    """
    recorded = [
        p for _ in range(shape.n_layer) for p in _block(shape, prompt_tokens, prompt_tokens)
    ]
    rows = [p for n in range(1, shape.n_layer) for p in _block(shape, n * steps, prompt_tokens - 1)]
    top = shape.n_layer * steps
    return (
        Pass("record", tuple(recorded)),
        Pass("rows up", tuple(rows)),
        Pass("head up", (Matmul(top, shape.d_model, shape.n_vocab),)),
        Pass("head down", (Matmul(top, shape.n_vocab, shape.d_model),)),
        Pass("rows down", tuple(rows)),
        Pass("spread", (Matmul(1, shape.d_model, shape.d_ff),) * shape.n_layer),
    )


def _block(shape: ModelShape, rows: int, prefix: int) -> Iterator[Matmul]:
    """The products of one transformer block whose rows look back at `prefix` positions."""
    yield Matmul(rows, shape.d_model, shape.d_q)
    yield Matmul(rows, shape.d_model, shape.d_kv)
    yield Matmul(rows, shape.d_model, shape.d_kv)
    group = rows * shape.n_head // shape.n_kv_head
    for _ in range(shape.n_kv_head):
        yield Matmul(group, shape.d_head, prefix)
        yield Matmul(group, prefix, shape.d_head)
    yield Matmul(rows, shape.d_q, shape.d_model)
    yield Matmul(rows, shape.d_model, shape.d_ff)
    yield Matmul(rows, shape.d_model, shape.d_ff)
    yield Matmul(rows, shape.d_ff, shape.d_model)
