"""Points and weights, against integrals that are known."""

from collections.abc import Callable

import pytest

from contract.memory import Nodes
from worker.kn import EditRequest, HParams, Method
from worker.kn.collect.quadrature import Quadrature, Rule, endpoints, gauss_legendre, riemann


def test_the_right_riemann_sum_ends_at_one() -> None:
    nodes, weights = riemann(4)

    assert nodes == (0.25, 0.5, 0.75, 1.0)
    assert weights == (0.25,) * 4


def test_both_ends_are_points_of_easyedit() -> None:
    assert endpoints(3).nodes == (0.0, 0.5, 1.0)
    assert endpoints(1).nodes == (0.0,)


def test_two_gauss_points_lie_a_root_of_three_apart() -> None:
    nodes, weights = gauss_legendre(2)

    assert nodes == pytest.approx((0.5 - 0.75**0.5 / 3, 0.5 + 0.75**0.5 / 3))
    assert weights == pytest.approx((0.5, 0.5))


def test_one_gauss_point_is_the_middle() -> None:
    assert gauss_legendre(1).nodes == (0.5,)
    assert gauss_legendre(1).weights == (1.0,)


@pytest.mark.parametrize("steps", [3, 7, 300])
def test_gauss_points_integrate_a_polynomial_of_degree_five_exactly(steps: int) -> None:
    nodes, weights = gauss_legendre(steps)

    assert sum(w * a**5 for a, w in zip(nodes, weights, strict=True)) == pytest.approx(
        1 / 6, rel=1e-12
    )


def nodes_of(method: Method, rule: Rule | None = None) -> tuple[float, ...]:
    hparams = HParams(steps=1, quadrature=rule)
    request = EditRequest(prompt="a", target_new="b", method=method, hparams=hparams)
    return request.quadrature.nodes


def test_a_request_names_the_rule() -> None:
    assert nodes_of(Method.CALIBRATED, Rule.RIEMANN) == (1.0,)
    assert nodes_of(Method.PAPER, Rule.GAUSS_LEGENDRE) == (0.5,)


def test_a_request_may_leave_the_rule_to_its_method() -> None:
    assert nodes_of(Method.CALIBRATED) == (0.5,)
    assert nodes_of(Method.PAPER) == (1.0,)


def test_ends_that_are_no_points_are_added_without_weight() -> None:
    assert riemann(2).with_ends == ((0.0, 0.5, 1.0), (0.0, 0.5, 0.5))
    assert endpoints(2).with_ends == endpoints(2)
    assert gauss_legendre(1).with_ends == ((0.0, 0.5, 1.0), (0.0, 1.0, 0.0))


@pytest.mark.parametrize("steps", [1, 2, 5, 20])
@pytest.mark.parametrize(
    ("rule", "nodes"),
    [
        (riemann, Nodes.RIEMANN),
        (gauss_legendre, Nodes.GAUSS_LEGENDRE),
        (endpoints, Nodes.ENDPOINTS),
    ],
)
def test_the_memory_formula_counts_the_rows_that_enter_at_each_layer(
    rule: Callable[[int], Quadrature], nodes: Nodes, steps: int
) -> None:
    assert nodes.rows_per_layer(steps) == len(rule(steps).with_ends.nodes) - 1
