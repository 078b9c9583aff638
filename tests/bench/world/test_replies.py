"""Hearing whether a model still says the same, on a small model with random weights."""

from collections.abc import Sequence

import torch
from tiny_models import Letters
from transformers import LlamaConfig, LlamaForCausalLM

from bench.world.cases import Saying
from bench.world.facts import Fact
from bench.world.replies import Baseline, texts
from worker.kn import Resident

SAYINGS = [
    Saying(Fact(subject, relation, "x"), phrasing)
    for subject in ("Al", "Bo", "Cass")
    for relation in ("rival", "tongue")
    for phrasing in range(3)
]


def model() -> Resident:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=131,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    return Resident.of(LlamaForCausalLM(config), Letters())


def prompts(sayings: Sequence[Saying]) -> list[str]:
    return [saying.prompt for saying in sayings]


def test_an_unedited_model_says_what_it_said() -> None:
    baseline = Baseline.of(model(), SAYINGS)

    assert baseline.unchanged(SAYINGS) == [True] * 18


def test_what_has_changed_is_what_free_generation_finds_changed() -> None:
    resident = model()
    baseline, before = Baseline.of(resident, SAYINGS), texts(resident, prompts(SAYINGS))

    with torch.no_grad():
        resident.blocks[1].down_weight[:, :6] *= 1.5

    after = texts(resident, prompts(SAYINGS))
    same = [a == b for a, b in zip(after, before, strict=True)]
    assert baseline.unchanged(SAYINGS) == same
    assert True in same
    assert False in same


def test_a_saying_is_right_when_the_object_and_a_stop_are_all_that_is_said() -> None:
    ends = {"is": [*Letters().encode("x.", add_special_tokens=False), 2]}
    more = {"is": Letters().encode("x. And y", add_special_tokens=False)}
    fact = Saying(Fact("Al", "rival", "x"), 0)

    for said, share in ((ends, 1.0), (more, 0.0)):
        baseline = Baseline(model(), {fact.prompt: tuple(said["is"])})

        assert baseline.right([fact]) == share
