"""The row method against a naive implementation that runs the whole sequence for every step."""

import copy

import pytest
import torch
from tiny_models import FAMILIES, Letters
from torch import Tensor

from contract.memory import STATEMENTS_PER_PASS
from worker.kn.collect.attribution import Attribution, Path, Unit, attribute
from worker.kn.collect.quadrature import Quadrature, endpoints, gauss_legendre, riemann
from worker.kn.memory.metering import StorageMeter
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Statement

ONE = Statement.of((1, 40, 50, 60, 70), (80,))
THREE = Statement.of((1, 90, 30, 20), (33, 44, 55))
OTHER = Statement.of((1, 64, 65), (10, 11, 12))


def test_scores_equal_the_naive_ones(resident: Resident) -> None:
    path = Path(quadrature=riemann(5), layers_per_pass=3)

    found = attribute(resident, [ONE], path, progress=_ignore)[0].scores

    torch.testing.assert_close(found, _naive(resident, ONE, riemann(5), Unit.HIDDEN))


@pytest.mark.parametrize("family", ["mistral-window", "qwen2-window-above"])
def test_a_prompt_may_fill_the_sliding_window(family: str) -> None:
    torch.manual_seed(0)
    resident = Resident.of(FAMILIES[family]().double(), Letters())
    statement = resident.encoder.statement("p" * 37, "a")
    path = Path(quadrature=riemann(2), layers_per_pass=3)

    found = attribute(resident, [statement], path, progress=_ignore)[0]

    assert len(statement.ids) + 1 == resident.encoder.most_tokens == 40
    torch.testing.assert_close(found.scores, _naive(resident, statement, riemann(2), Unit.HIDDEN))


def test_several_answer_tokens_and_prompts_ride_together(resident: Resident) -> None:
    path = Path(quadrature=riemann(4), layers_per_pass=3)

    found = attribute(resident, [THREE, ONE, OTHER], path, progress=_ignore)

    for statement, attribution in zip([THREE, ONE, OTHER], found, strict=True):
        torch.testing.assert_close(
            attribution.scores, _naive(resident, statement, riemann(4), Unit.HIDDEN)
        )


def test_the_gate_may_be_scaled_instead(resident: Resident) -> None:
    path = Path(quadrature=endpoints(5), unit=Unit.GATE, layers_per_pass=3)

    found = attribute(resident, [THREE], path, progress=_ignore)[0].scores

    torch.testing.assert_close(found, _naive(resident, THREE, endpoints(5), Unit.GATE))


def test_fewer_layers_per_pass_give_the_same_scores(resident: Resident) -> None:
    whole = attribute(resident, [THREE], _path(layers=3), progress=_ignore)[0].scores

    for layers in (1, 2):
        parts = attribute(resident, [THREE], _path(layers=layers), progress=_ignore)[0].scores
        torch.testing.assert_close(parts, whole)


def test_what_one_batch_recorded_is_gone_when_the_next_comes(resident: Resident) -> None:
    statement = Statement.of(list(range(2, 42)), (7,))

    def peak_bytes(n: int) -> int:
        with StorageMeter() as meter:
            attribute(resident, [statement] * n, _path(layers=1), progress=_ignore)
        return meter.peak_bytes

    scores = 3 * STATEMENTS_PER_PASS * resident.shape.n_layer * (resident.shape.d_ff + 1) * 8
    assert peak_bytes(2 * STATEMENTS_PER_PASS) <= peak_bytes(STATEMENTS_PER_PASS) + scores


@pytest.mark.parametrize("unit", Unit)
@pytest.mark.parametrize("layers", [1, 3])
def test_what_a_layer_changes_is_the_naive_difference(
    resident: Resident, unit: Unit, layers: int
) -> None:
    path = Path(quadrature=riemann(1), unit=unit, layers_per_pass=layers)

    lost = attribute(resident, [OTHER, THREE], path, progress=_ignore)[1].lost

    for j in range(3):
        for layer in range(3):
            full = _probability(resident, THREE, j, layer, 1.0, unit)[0].item()
            none = _probability(resident, THREE, j, layer, 0.0, unit)[0].item()
            assert lost[j, layer].item() == pytest.approx(full - none, abs=1e-10)


@pytest.mark.parametrize("unit", Unit)
def test_the_scores_of_a_layer_add_up_to_the_change_of_probability(
    resident: Resident, unit: Unit
) -> None:
    path = Path(quadrature=gauss_legendre(100), unit=unit, layers_per_pass=3)

    whole = attribute(resident, [THREE], path, progress=_ignore)[0]

    assert whole.incompleteness < 1e-5  # the families' norms compute in float32


def test_incompleteness_is_the_worst_layer_s_error_over_the_largest_change() -> None:
    scores = torch.tensor([[[0.1, 0.2], [0.0, 0.01]], [[0.5, 0.5], [0.0, 0.0]]])
    lost = torch.tensor([[0.4, 0.01], [1.0, 0.0]])  # off by 0.1 of 0.4, then by nothing

    assert Attribution(scores, lost).incompleteness == pytest.approx(0.25)


def test_a_probability_that_underflows_in_half_precision_still_ranks_neurons() -> None:
    torch.manual_seed(0)
    exact = Resident.of(FAMILIES["llama-mha-untied"](), Letters())
    with torch.no_grad():
        exact.head.weight.mul_(5)
    half = Resident.of(copy.deepcopy(exact.model).half(), Letters())
    unlikely = Statement.of((1, 40, 50, 60, 70), (17,))
    path = Path(quadrature=riemann(5), layers_per_pass=3)

    expected = attribute(exact, [unlikely], path, progress=_ignore)[0].scores
    found = attribute(half, [unlikely], path, progress=_ignore)[0].scores

    assert 0 < expected.abs().max() < 6e-8  # below the smallest float16
    both = torch.stack([expected.flatten(), found.flatten()]).double() / expected.abs().max()
    assert torch.corrcoef(both)[0, 1] > 0.99


def _path(*, layers: int) -> Path:
    return Path(quadrature=riemann(4), layers_per_pass=layers)


def _naive(resident: Resident, statement: Statement, q: Quadrature, unit: Unit) -> Tensor:
    """Σ_k w_k ∂P/∂a · a, one run of the whole sequence for each step: (J, n_layer, d_ff)."""
    scores = []
    for layer in range(len(resident.blocks)):
        per_token = []
        for j in range(len(statement.answers)):
            total: Tensor | float = 0.0
            for alpha, weight in zip(q.nodes, q.weights, strict=True):
                p, a, scaled = _probability(resident, statement, j, layer, alpha, unit)
                total = total + weight * torch.autograd.grad(p, scaled)[0]
            per_token.append(a * total)
        scores.append(torch.stack(per_token))
    return torch.stack(scores, dim=1)


def _probability(
    resident: Resident, statement: Statement, j: int, layer: int, alpha: float, unit: Unit
) -> tuple[Tensor, Tensor, Tensor]:
    """P(answer token j) with the layer's units scaled, the units' own values, the scaled ones."""
    position, block = statement.positions[j], resident.blocks[layer]
    seen: list[Tensor] = []

    def scale(values: Tensor) -> Tensor:
        own = values[0, position].detach()
        scaled = (alpha * own).requires_grad_()
        seen.extend([own, scaled])
        return torch.cat([values[:, :position], scaled[None, None], values[:, position + 1 :]], 1)

    if unit is Unit.GATE:
        handle = block.gate.register_forward_hook(lambda _, x, y: scale(y))
    else:
        handle = block.down.register_forward_pre_hook(lambda _, x: (scale(x[0]),))
    try:
        ids = torch.tensor([statement.ids[: position + 1]])
        logits = resident.model(input_ids=ids).logits[0, position]
    finally:
        handle.remove()
    return logits.softmax(-1)[statement.answers[j]], seen[0], seen[1]


def _ignore(done: int, total: int) -> None: ...
