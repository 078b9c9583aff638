import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from worker.kn.products import fast_products, product

SHAPES = [(1,), (7,), (3, 5), (2, 3, 4), (0,)]


def frozen(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, dtype=dtype)


@pytest.mark.parametrize("bias", [None, torch.randn(6)])
@pytest.mark.parametrize("shape", SHAPES)
def test_is_the_linear_map(shape: tuple[int, ...], bias: Tensor | None) -> None:
    rows, weight = frozen(*shape, 9), frozen(6, 9)
    torch.testing.assert_close(product(rows, weight, bias), functional.linear(rows, weight, bias))


def test_takes_views_as_they_lie() -> None:
    rows, weight = frozen(9, 8, 7).transpose(0, 1)[:, ::2], frozen(7, 12)[:, 1:6]
    torch.testing.assert_close(product(rows, weight.t()), rows @ weight)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_way_back_is_autograds(shape: tuple[int, ...]) -> None:
    rows, weight, bias = frozen(*shape, 9).requires_grad_(), frozen(6, 9), frozen(6)
    above = frozen(*shape, 6)
    (found,) = torch.autograd.grad(product(rows, weight, bias), rows, above)
    (expected,) = torch.autograd.grad(functional.linear(rows, weight, bias), rows, above)
    torch.testing.assert_close(found, expected)


def test_is_as_exact_as_float32_goes() -> None:
    rows, weight = frozen(50, 1376), frozen(512, 1376)
    error = (product(rows, weight).double() - rows.double() @ weight.double().t()).abs().max()
    assert error < 1376 * torch.finfo(torch.float32).eps


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_dtypes_are_torchs_own(dtype: torch.dtype) -> None:
    rows, weight = frozen(5, 9, dtype=dtype), frozen(6, 9, dtype=dtype)
    assert torch.equal(product(rows, weight), functional.linear(rows, weight))


def test_a_weight_that_learns_gets_its_gradient() -> None:
    rows, weight = frozen(5, 9), frozen(6, 9).requires_grad_()
    product(rows, weight).sum().backward()
    torch.testing.assert_close(weight.grad, rows.sum(0).expand(6, 9))


class TestFastProducts:
    def test_a_models_linear_maps_stay_what_they_are(self) -> None:
        model = nn.Sequential(nn.Linear(9, 8), nn.SiLU(), nn.Linear(8, 7, bias=False))
        model.requires_grad_(False)
        rows = frozen(5, 9)
        expected = model(rows)
        with fast_products(model):
            torch.testing.assert_close(model(rows), expected)

    def test_hooks_see_what_they_always_see(self) -> None:
        linear = nn.Linear(9, 8).requires_grad_(False)
        seen: list[Tensor] = []
        linear.register_forward_hook(lambda _, inputs, output: seen.extend([*inputs, output]))
        rows = frozen(5, 9)
        with fast_products(linear):
            found = linear(rows)
        assert seen[0] is rows
        assert seen[1] is found

    def test_a_weight_set_meanwhile_counts(self) -> None:
        linear = nn.Linear(9, 8, bias=False).requires_grad_(False)
        with fast_products(linear):
            linear.weight.zero_()
            assert linear(frozen(5, 9)).count_nonzero() == 0

    def test_all_is_as_before_when_it_ends_by_an_error(self) -> None:
        model = nn.Sequential(nn.Linear(9, 8))
        with pytest.raises(ZeroDivisionError), fast_products(model):
            raise ZeroDivisionError
        assert "forward" not in vars(model[0])

    def test_a_map_that_someone_else_has_wrapped_is_left_alone(self) -> None:
        linear = nn.Linear(9, 8).requires_grad_(False)
        wrapped = linear.forward = lambda rows: torch.zeros(5, 8)  # type: ignore[method-assign]
        with fast_products(linear):
            assert linear(frozen(5, 9)).count_nonzero() == 0
        assert linear.forward is wrapped
