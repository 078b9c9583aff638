"""Layers spread over devices, as `device_map` spreads them: no tensor is used on the wrong one."""

import pytest
import torch
from accelerate.utils import send_to_device
from devices import Devices, MixedDevicesError
from tiny_models import FAMILIES, Letters
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from worker.kn import Editor, EditRequest, Method, Operation, Probe, Resident
from worker.kn.collect.attribution import Path, Unit, attribute
from worker.kn.collect.quadrature import riemann
from worker.kn.model.statement import Statement

LONG = Statement.of((1, 40, 50, 60, 70), (80, 81))
SHORT = Statement.of((1, 64, 65), (10, 11))
ALONE = Statement.of((1, 64, 65), (10,))
SPREADS = {  # where the embeddings, the three blocks, the final norm, and the head are
    "upwards": ("cpu:0", "cpu:0", "cpu:1", "cpu:1", "cpu:1", "cpu:1"),
    "head-with-embeddings": ("cpu:0", "cpu:0", "cpu:1", "cpu:2", "cpu:2", "cpu:0"),
    "to-and-fro": ("cpu:0", "cpu:1", "cpu:0", "cpu:1", "cpu:2", "cpu:1"),
}


def test_two_devices_do_not_mix_unless_moved() -> None:
    with Devices():
        here, there = torch.ones(2, device="cpu:0"), torch.ones(2, device="cpu:1")
        weight = torch.ones(2, device="cpu:0", requires_grad=True)

        with pytest.raises(MixedDevicesError):
            here + there
        with pytest.raises(MixedDevicesError):
            there[torch.tensor([True, False], device="cpu:0")]
        (gradient,) = torch.autograd.grad((weight.to(there.device) * there).sum(), weight)

        assert there[torch.tensor([1])].device == torch.device("cpu:1")
        assert gradient.device == torch.device("cpu:0")


@pytest.mark.parametrize("family", ["llama-gqa-tied", "llama-biases", "qwen3-norms-wide-heads"])
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("unit", Unit)
def test_attribution_is_the_same_on_several_devices(family: str, spread: str, unit: Unit) -> None:
    path = Path(quadrature=riemann(4), unit=unit, layers_per_pass=2)
    statements = [LONG, SHORT, ALONE]

    with Devices() as devices:
        resident = _spread(devices, family, SPREADS[spread])
        with resident.frozen():
            found = attribute(resident, statements, path, progress=_ignore)

    whole = _whole(family)
    with whole.frozen():
        expected = attribute(whole, statements, path, progress=_ignore)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.scores, b.scores)
        torch.testing.assert_close(a.lost, b.lost)


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("operation", Operation)
def test_a_whole_edit_is_the_same_on_several_devices(method: Method, operation: Operation) -> None:
    request = EditRequest(
        prompt="The capital is",
        subject="capital",
        target_new="Rome",
        method=method,
        operation=operation,
        protect_prompts=("The sea is",),
        locality=(Probe("The sky is"),),
    )

    with Devices() as devices:
        resident = _spread(devices, "llama-gqa-tied", SPREADS["to-and-fro"])
        found = Editor(resident, reference_prompts=["a sea", "of words"]).edit(request)

    editor = Editor(_whole("llama-gqa-tied"), reference_prompts=["a sea", "of words"])
    expected = editor.edit(request)
    assert [s.neuron for s in found.neurons] == [s.neuron for s in expected.neurons]
    assert found.after == expected.after
    for a, b in zip(found.adapter.writes, expected.adapter.writes, strict=True):
        delta = expected.adapter.delta(b)
        # A hundred steps of descent make more of a rounding than one product does.
        atol = 0.02 * delta.abs().max().item()
        torch.testing.assert_close(found.adapter.delta(a), delta, rtol=0, atol=atol)


@pytest.mark.parametrize("unit", Unit)
def test_attribution_waits_for_no_value(unit: Unit) -> None:
    path = Path(quadrature=riemann(4), unit=unit, layers_per_pass=2)

    with FakeTensorMode(allow_non_fake_inputs=True):  # no tensor has values to wait for
        resident = _whole("llama-gqa-tied")
        with resident.frozen():
            found = attribute(resident, [LONG, SHORT, ALONE], path, progress=_ignore)

    assert [tuple(attribution.scores.shape) for attribution in found] == [
        (2, 3, 48),
        (2, 3, 48),
        (1, 3, 48),
    ]


def _whole(family: str) -> Resident:
    torch.manual_seed(0)
    return Resident.of(FAMILIES[family](), Letters())


def _spread(devices: Devices, family: str, spread: tuple[str, ...]) -> Resident:
    resident = _whole(family)
    parts = [block.module for block in resident.blocks]
    embeddings = resident.model.get_input_embeddings()
    parts = [embeddings, *parts, resident.final_norm, resident.head]
    for part, device in zip((*parts, resident.rotary), (*spread, spread[0]), strict=True):
        devices.place(part, device)
        _bring_inputs(part, device)
    return resident


def _bring_inputs(module: nn.Module, device: str) -> None:
    """As accelerate's hooks do: what a part is given, it takes to its own device."""
    for part in module.modules():
        part.register_forward_pre_hook(
            lambda _, args, kwargs: send_to_device((args, kwargs), device), with_kwargs=True
        )


def _ignore(done: int, total: int) -> None: ...
