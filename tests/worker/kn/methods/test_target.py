"""How the new answer stands."""

import math

import torch

from worker.kn.methods.target import Standing, _leads


def test_a_token_leads_by_its_distance_to_the_best_other() -> None:
    logits = torch.tensor([[[3.0, 1.0, 0.0], [3.0, 1.0, 0.0]]])

    assert _leads(logits, torch.tensor([[0, 1]])).tolist() == [[2.0, -2.0]]


def test_a_lead_that_is_no_number_is_lost() -> None:
    leads = torch.tensor([[9.0, float("nan")]])

    assert Standing.of(leads, torch.full_like(leads, 7.0)) == (-math.inf, math.inf)
