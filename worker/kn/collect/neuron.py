"""Neurons, and the sets of them that prompts share."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Neuron(NamedTuple):
    """One unit of a block's feed-forward hidden layer."""

    layer: int
    unit: int


class Scored(NamedTuple):
    """A neuron and its attribution."""

    neuron: Neuron
    score: float


def coarse(scores: Tensor, *, threshold: float) -> frozenset[Neuron]:
    """Neurons whose attribution is above `threshold` × the largest; scores (n_layer, d_ff).

    Strict, as in Dai et al. (ACL 2022): where nothing is positive, nothing is found.
    """
    largest = scores.max().item()
    if largest <= 0:
        return frozenset()
    found = torch.nonzero(scores > threshold * largest).tolist()
    return frozenset(Neuron(layer, unit) for layer, unit in found)


def shared_by(found: Sequence[Iterable[Neuron]], *, share: float) -> frozenset[Neuron]:
    """The neurons that more than `share` of the prompts found."""
    counts = Counter(neuron for neurons in found for neuron in neurons)
    return frozenset(neuron for neuron, n in counts.items() if n > share * len(found))


def strongest(neurons: Iterable[Neuron], scores: Tensor, *, most: int | None) -> tuple[Scored, ...]:
    """At most `most` neurons, the strongest first, with their scores (n_layer, d_ff)."""
    scored = [Scored(neuron, scores[neuron].item()) for neuron in neurons]
    return tuple(sorted(scored, key=lambda s: (-s.score, s.neuron))[:most])


def by_layer(neurons: Iterable[Neuron]) -> dict[int, list[int]]:
    """The units of each layer that has any, both in order."""
    layers: dict[int, list[int]] = {}
    for layer, unit in sorted(neurons):
        layers.setdefault(layer, []).append(unit)
    return layers
