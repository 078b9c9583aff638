"""Erasing neurons: their columns become exactly zero, or in float64 zero to within float32's
rounding, since adapters are stored in float32 at most."""

from collections.abc import Sequence

import torch
from torch import Tensor

from worker.kn.collect.neuron import Scored, by_layer
from worker.kn.model.resident import Resident
from worker.kn.write.adapter import LayerWrite


def erasing(resident: Resident, neurons: Sequence[Scored]) -> list[LayerWrite]:
    """ΔW[:, units] = −W[:, units] for each neuron, of rank min(len(units), d_model) in a layer."""
    return [
        _zeroing(layer, units, resident.blocks[layer].down_weight.detach()[:, units])
        for layer, units in by_layer(scored.neuron for scored in neurons).items()
    ]


def _zeroing(layer: int, units: list[int], columns: Tensor) -> LayerWrite:
    """−W · 1 or, where that is the narrower, −1 · W: either product is exact, since each of its
    sums has a single term that is not zero."""
    d_model, k = columns.shape
    if k <= d_model:
        return LayerWrite(layer, tuple(units), A=torch.eye(k), B=-columns)
    return LayerWrite(layer, tuple(units), A=columns, B=-torch.eye(d_model))
