"""Which texts are left alone: those that do not tell the fact itself."""

from dataclasses import replace

import pytest
import torch
from tiny_tasks import tiny_task

from worker.kn import Editor, EditRequest, Resident
from worker.kn.adapter import Adapter
from worker.kn.methods.bystanders import most_depended_on, subject_word, without_the_fact
from worker.kn.recipe import Task
from worker.kn.statement import Statement

TELLING = "Paris it is, the capital"
OTHERS = ("Paris it is, the harbour", "Rome it is, the capital", "Rome it is, the harbour")
LAYERS = range(3)
STEP = 1e-4


def test_a_reference_that_says_the_old_answer_of_the_subject_is_no_bystander(
    llama: Resident,
) -> None:
    task = _task(llama, TELLING, *OTHERS, subject="capital")

    left = without_the_fact(task, LAYERS)

    assert left.references == _ids(llama, *OTHERS)


def test_where_no_subject_is_named_it_is_what_the_answer_depends_on(llama: Resident) -> None:
    task = _task(llama, subject=None)
    with llama.frozen():
        word = subject_word(llama, task.old[0], LAYERS)
        telling, others = f"Paris of {word}", "Paris of all"
        left = without_the_fact(replace(task, references=_ids(llama, telling, others)), LAYERS)

    assert word in ("The", "capital", "is")
    assert left.references == _ids(llama, others)


def test_what_a_kept_edit_says_of_the_fact_is_no_bystander(llama: Resident) -> None:
    task = replace(
        _task(llama, *OTHERS, subject="capital"), said=_ids(llama, TELLING, "Oslo, the capital")
    )

    left = without_the_fact(task, LAYERS)

    assert left.said == _ids(llama, "Oslo, the capital")
    assert left.references == task.references


def test_references_stay_where_all_tell_the_fact(llama: Resident) -> None:
    task = _task(llama, TELLING, subject="capital")

    assert without_the_fact(task, LAYERS).references == task.references


def test_an_edit_is_the_same_whether_its_fact_is_among_the_references(llama: Resident) -> None:
    request = EditRequest(
        prompt="The capital is", target_new="Rome", ground_truth="Paris", subject="capital"
    )

    def adapter_with(*references: str) -> Adapter:
        editor = Editor(llama, reference_prompts=references, measure_memory=False)
        return editor.edit(request).adapter

    made, other = adapter_with(*OTHERS, TELLING), adapter_with(*OTHERS)

    assert len(made.writes) == len(other.writes) > 0
    for mine, its in zip(made.writes, other.writes, strict=True):
        assert torch.equal(made.delta(mine), other.delta(its))


def test_what_the_answer_depends_on_is_found_as_by_finite_differences(resident: Resident) -> None:
    statement = _task(resident, subject=None).old[0]
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
        most_depended_on(llama, _task(llama, subject=None).old[0], layers)

    assert all(p.grad is None for p in llama.model.parameters())


def _task(resident: Resident, *references: str, subject: str | None) -> Task:
    task = tiny_task(resident, references=_ids(resident, *references))
    return replace(task, request=replace(task.request, subject=subject))


def _ids(resident: Resident, *texts: str) -> list[list[int]]:
    return [resident.encoder.prompt_ids(text) for text in texts]


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
