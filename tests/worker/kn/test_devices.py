"""Layers spread over devices, as `device_map` spreads them: no tensor is used on the wrong one.

Two devices without a GPU: under `FakeTensorMode` tensors have shapes and devices but no values, and
an operator that is given tensors of `cpu` and of `meta` raises, as it would for `cuda:0` and
`cuda:1`. That attribution runs so at all also says that it waits for no value on the way.
"""

from collections.abc import Iterator

import pytest
import torch
from accelerate.utils import send_to_device
from tiny_models import FAMILIES, Letters
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from worker.kn.attribution import Path, Unit, attribute
from worker.kn.quadrature import riemann
from worker.kn.references import activations
from worker.kn.resident import Resident
from worker.kn.statement import Statement

LONG = Statement.of((1, 40, 50, 60, 70), (80, 81))
SHORT = Statement.of((1, 64, 65), (10, 11))
ALONE = Statement.of((1, 64, 65), (10,))
SPREADS = {  # where the embeddings, the three blocks, the final norm, and the head are
    "all-on-one": ("cpu", "cpu", "cpu", "cpu", "cpu", "cpu"),
    "upwards": ("cpu", "cpu", "meta", "meta", "meta", "meta"),
    "head-with-embeddings": ("meta", "meta", "cpu", "cpu", "cpu", "meta"),
    "to-and-fro": ("cpu", "meta", "cpu", "meta", "cpu", "meta"),
}


@pytest.fixture(autouse=True)
def fake() -> Iterator[None]:
    """Tensors are fake meanwhile."""
    with FakeTensorMode(allow_non_fake_inputs=True):  # torch.tensor(…, device="meta") is real
        yield


def test_two_devices_do_not_mix() -> None:
    with pytest.raises(RuntimeError, match="same device"):
        torch.empty(2, device="cpu") + torch.empty(2, device="meta")


@pytest.mark.parametrize("family", ["llama-gqa-tied", "llama-biases", "qwen3-norms-wide-heads"])
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("unit", Unit)
def test_attribution_follows_the_layers(family: str, spread: str, unit: Unit) -> None:
    resident = _spread(family, spread)
    path = Path(quadrature=riemann(4), unit=unit, layers_per_pass=2)

    with resident.frozen():
        scores = attribute(resident, [LONG, SHORT, ALONE], path, told=_ignore)

    assert [tuple(score.shape) for score in scores] == [(2, 3, 48), (2, 3, 48), (1, 3, 48)]
    assert {score.device.type for score in scores} == {"cpu"}


@pytest.mark.parametrize("spread", SPREADS)
def test_reference_activations_follow_the_layers(spread: str) -> None:
    resident = _spread("llama-gqa-tied", spread)

    found = activations(resident, [[1, 5, 6], [1, 7, 8]], {0: [3, 4], 2: [7]})

    assert {layer: tuple(rows.shape) for layer, rows in found.items()} == {0: (6, 2), 2: (6, 1)}


def _spread(family: str, spread: str) -> Resident:
    model = FAMILIES[family]()
    embeddings, *blocks, norm, head = SPREADS[spread]
    _place(model.model.embed_tokens, embeddings)
    _place(model.model.rotary_emb, embeddings)
    for block, device in zip(model.model.layers, blocks, strict=True):
        _place(block, device)
    _place(model.model.norm, norm)
    _place(model.lm_head, head)
    return Resident.of(model, Letters())


def _place(module: nn.Module, device: str) -> None:
    """Put a part on a device; as accelerate's hooks do, it brings its inputs there."""
    for part in module.modules():
        for name, parameter in part._parameters.items():
            if parameter is not None:
                part._parameters[name] = nn.Parameter(parameter.detach().to(device))
        for name, buffer in part._buffers.items():
            part._buffers[name] = buffer if buffer is None else buffer.to(device)
        part.register_forward_pre_hook(
            lambda _, args, kwargs: send_to_device((args, kwargs), device), with_kwargs=True
        )


def _ignore(done: int, total: int) -> None: ...
