"""What a prompt is about, by name or by what its answer depends on."""

from dataclasses import replace

import pytest
import torch
from tiny_tasks import tiny_task

from worker.kn import Resident
from worker.kn.methods.subject import Subject, most_depended_on, subject_word, whole_name
from worker.kn.statement import Statement

LAYERS = range(3)
STEP = 1e-4


def test_a_subject_that_the_request_names_is_taken_at_its_word(llama: Resident) -> None:
    task = tiny_task(llama)
    named = replace(task, request=replace(task.request, subject="The capital"))

    assert Subject.of(named, LAYERS) == ("The capital", "The capital")


def test_where_none_is_named_it_is_what_the_answer_depends_on(llama: Resident) -> None:
    task = tiny_task(llama)
    with llama.frozen():
        word = subject_word(llama, task.old[0], LAYERS)

        assert Subject.of(task, LAYERS).word == word

    assert word in ("The", "capital", "is")


@pytest.mark.parametrize(
    ("prompt", "word", "name"),
    [
        ("The mother of Ada Lovelace is", "Lovelace", "Ada Lovelace"),
        ("Ada King Lovelace was born in", "King", "Ada King Lovelace"),
        ("The Nile's length is", "Nile", "The Nile"),
        ("In Rome, Ada was", "Ada", "Ada"),
        ("The plays of Jean-Paul Sartre are", "Sartre", "Jean-Paul Sartre"),
        ("The plays of Jean-Paul Sartre are", "Paul", "Jean-Paul Sartre"),
        ("The violin is played by", "violin", "violin"),
        ("鎌倉はどこ", "鎌倉", "鎌倉"),
        ("The capital is", "", ""),
    ],
)
def test_a_name_has_the_capitalised_words_beside_the_one_that_is_known(
    prompt: str, word: str, name: str
) -> None:
    assert whole_name(prompt, word) == name


def test_what_the_answer_depends_on_is_found_as_by_finite_differences(resident: Resident) -> None:
    statement = tiny_task(resident).old[0]
    with resident.frozen():
        slopes = _differences(resident, statement)

        at = most_depended_on(resident, statement, LAYERS)

    assert at == 1 + int(slopes[1:-1].argmax())  # neither BOS nor the last


def test_a_prompt_of_one_token_depends_on_itself(llama: Resident) -> None:
    statement = llama.encoder.statement("a", "b")

    assert most_depended_on(llama, statement, LAYERS) == 1


@pytest.mark.parametrize("layers", [[0], [2], [0, 1, 2]])
def test_the_weights_are_left_without_gradients(llama: Resident, layers: list[int]) -> None:
    with llama.frozen():
        most_depended_on(llama, tiny_task(llama).old[0], layers)

    assert all(p.grad is None for p in llama.model.parameters())


@torch.no_grad()
def _differences(resident: Resident, statement: Statement) -> torch.Tensor:
    """Σ_l ‖∂ log P / ∂ o_l(n)‖² of each position of the prompt, by central differences."""
    n = statement.positions[0] + 1
    d = resident.shape.d_model
    ids = torch.tensor([statement.ids[:n]]).expand(2 * d, -1)
    nudges = STEP * torch.cat([torch.eye(d), -torch.eye(d)]).double()
    slopes = torch.zeros(n)
    for block in resident.blocks:
        for at in range(n):

            def nudge(_: object, inputs: object, output: torch.Tensor, at: int = at) -> None:
                output[:, at] += nudges

            handle = block.down.register_forward_hook(nudge)
            hidden = resident.decoder(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
            handle.remove()
            log_p = resident.head(hidden).log_softmax(-1)[:, statement.answers[0]]
            slopes[at] += ((log_p[:d] - log_p[d:]) / (2 * STEP)).square().sum()
    return slopes
