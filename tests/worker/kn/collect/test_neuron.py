"""Sets of neurons."""

import torch

from worker.kn.collect.neuron import Neuron, Scored, by_layer, coarse, shared_by, strongest

SCORES = torch.tensor([[1.0, 0.2, -3.0], [0.5, 0.21, 0.0]])


def test_coarse_neurons_are_strictly_above_the_share_of_the_largest() -> None:
    assert coarse(SCORES, threshold=0.2) == {(0, 0), (1, 0), (1, 1)}


def test_nothing_is_found_where_nothing_is_positive() -> None:
    assert coarse(torch.zeros(2, 3), threshold=0.2) == frozenset()
    assert coarse(-torch.ones(2, 3), threshold=0.2) == frozenset()


def test_a_shared_neuron_is_in_more_than_the_share_of_prompts() -> None:
    a, b, c = Neuron(0, 0), Neuron(0, 1), Neuron(1, 1)

    assert shared_by([{a, b}, {a, c}], share=0.5) == {a}
    assert shared_by([{a, b}, {a, c}], share=0.4) == {a, b, c}
    assert shared_by([{a, b}], share=0.9) == {a, b}


def test_the_strongest_come_first_and_ties_go_by_place() -> None:
    neurons = [Neuron(1, 1), Neuron(0, 0), Neuron(1, 0)]

    kept = strongest(neurons, SCORES, most=2)

    assert kept == (Scored(Neuron(0, 0), 1.0), Scored(Neuron(1, 0), 0.5))


def test_neurons_are_grouped_by_layer_in_order() -> None:
    assert by_layer([Neuron(1, 5), Neuron(0, 9), Neuron(1, 2)]) == {0: [9], 1: [2, 5]}
