"""Means over prompts, worked out by hand."""

import torch

from worker.kn.methods.means import mean_by_token


def test_a_token_that_some_prompts_lack_is_averaged_over_those_that_have_it() -> None:
    long = torch.tensor([[1.0, 3.0], [5.0, 7.0]])
    short = torch.tensor([[3.0, 5.0]])

    assert mean_by_token([long, short]).tolist() == [[2.0, 4.0], [5.0, 7.0]]
