import pytest
import torch
from tiny_models import FAMILIES, Letters
from torch import Tensor
from torch.nn import functional

from contract.memory import FILLED_ROWS
from worker.kn.collect import answer
from worker.kn.collect.attribution import Path, attribute
from worker.kn.collect.quadrature import riemann
from worker.kn.model import products
from worker.kn.model.products import MAX_ROWS, has_kernel, product
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement

D, WORDS = 129, 2048
ROWS = 32
SMALL = products.FEWEST_MULTIPLICATIONS // (ROWS * D)  # a weight with so many words is worth none


def random(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, dtype=dtype)


@pytest.mark.parametrize("bias", [None, torch.randn(WORDS)])
def test_is_the_linear_map(bias: Tensor | None) -> None:
    rows, weight = random(ROWS, D), random(WORDS, D)
    assert has_kernel(rows, weight, MAX_ROWS)
    expected = rows.double() @ weight.double().t() + (0 if bias is None else bias)
    found = product(rows, weight, bias)
    assert (found - expected).abs().max() < D * torch.finfo(torch.float32).eps * 10


def test_takes_a_transposed_part_of_a_weight() -> None:
    rows, whole = random(ROWS, WORDS), random(2 * WORDS, D)
    weight = whole[37:][:WORDS]
    assert has_kernel(rows, weight.t(), MAX_ROWS)
    error = (product(rows, weight.t()) - rows.double() @ weight.double()).abs().max()
    assert error < WORDS * torch.finfo(torch.float32).eps * 10


def test_rows_that_learn_get_no_gradient() -> None:
    rows = random(ROWS, D).requires_grad_()
    assert not product(rows, random(WORDS, D)).requires_grad


def test_takes_rows_of_several_prompts() -> None:
    rows, weight = random(4, ROWS // 4, D), random(WORDS, D)
    assert has_kernel(rows, weight, MAX_ROWS)
    assert torch.equal(product(rows, weight).flatten(0, 1), product(rows.flatten(0, 1), weight))


def test_a_kernel_is_made_for_so_many_rows_at_most() -> None:
    rows, weight = random(MAX_ROWS + FILLED_ROWS, D), random(WORDS, D)
    assert not has_kernel(rows, weight, MAX_ROWS)
    assert has_kernel(rows[FILLED_ROWS:], weight, MAX_ROWS)
    assert has_kernel(rows, weight, MAX_ROWS + FILLED_ROWS)


@pytest.mark.parametrize(
    ("rows", "weight"),
    [
        (random(ROWS - 1, D), random(WORDS, D)),
        (random(ROWS, D), random(SMALL, D)),
        (random(ROWS, D, dtype=torch.float64), random(WORDS, D, dtype=torch.float64)),
        (random(ROWS, D, dtype=torch.bfloat16), random(WORDS, D, dtype=torch.bfloat16)),
        (random(0, D), random(WORDS, D)),
    ],
    ids=["rows that are not filled up", "a small weight", "float64", "bfloat16", "no rows"],
)
def test_others_are_torchs_own(rows: Tensor, weight: Tensor) -> None:
    assert not has_kernel(rows, weight, MAX_ROWS)
    assert torch.equal(product(rows, weight), functional.linear(rows, weight))


def test_attribution_by_kernels_finds_what_it_finds_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES["llama-mha-untied"](), Letters())
    statement = Statement.of((1, 90, 30, 20), (33, 44, 55))
    path = Path(quadrature=riemann(4), layers_per_pass=3)

    def scores() -> Tensor:
        with resident.frozen():
            return attribute(resident, [statement], path, progress=lambda *_: None)[0].scores

    expected, asked = scores(), []

    def ask(rows: Tensor, weight: Tensor, most_rows: int) -> bool:
        asked.append(rows.shape)
        return True

    monkeypatch.setattr(answer, "HEAD_CHUNK_WORDS", 50)  # several parts
    monkeypatch.setattr(products, "has_kernel", ask)
    torch.testing.assert_close(scores(), expected, rtol=0, atol=1e-5 * expected.abs().max().item())
    assert len(asked) > 2
