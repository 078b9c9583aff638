"""Which texts are left alone: those that do not tell the fact itself."""

from dataclasses import replace

import pytest
import torch
from tiny_tasks import tiny_task

from worker.kn import Editor, EditRequest, Resident
from worker.kn.methods.fact_texts import excluding_fact
from worker.kn.methods.recipe import Task
from worker.kn.methods.subject import Subject
from worker.kn.write.adapter import Adapter

TELLING = "Paris it is, the capital"
OTHERS = ("Paris it is, the harbour", "Rome it is, the capital", "Rome it is, the harbour")


def capital() -> Subject:
    return Subject(word="capital", name="capital")


def test_a_reference_that_says_the_old_answer_of_the_subject_is_no_bystander(
    llama: Resident,
) -> None:
    task = _task(llama, TELLING, *OTHERS)

    left = excluding_fact(task, capital)

    assert left.references == _ids(llama, *OTHERS)


def test_a_text_tells_of_a_name_by_one_word_of_it(llama: Resident) -> None:
    task = _task(llama, TELLING, *OTHERS)

    left = excluding_fact(task, lambda: Subject(word="capital", name="The capital"))

    assert left.references == _ids(llama, *OTHERS)


def test_what_a_kept_edit_says_of_the_fact_is_no_bystander(llama: Resident) -> None:
    task = replace(_task(llama, *OTHERS), said=_ids(llama, TELLING, "Oslo, the capital"))

    left = excluding_fact(task, capital)

    assert left.said == _ids(llama, "Oslo, the capital")
    assert left.references == task.references


def test_what_the_model_says_now_is_an_old_answer_too(llama: Resident) -> None:
    task = replace(
        _task(llama, *OTHERS), said=_ids(llama, "Oslo, the capital", "Oslo"), own_text="Oslo"
    )

    left = excluding_fact(task, capital)

    assert left.said == _ids(llama, "Oslo")


def test_references_stay_where_all_tell_the_fact(llama: Resident) -> None:
    task = _task(llama, TELLING)

    assert excluding_fact(task, capital).references == task.references


def test_where_no_text_says_the_old_answer_nobody_asks_for_the_subject(llama: Resident) -> None:
    task = _task(llama, "Rome it is, the capital", "Oslo, the capital")

    assert excluding_fact(task, lambda: pytest.fail("it was asked")) is task


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


def _task(resident: Resident, *references: str) -> Task:
    return tiny_task(resident, references=_ids(resident, *references))


def _ids(resident: Resident, *texts: str) -> list[list[int]]:
    return [resident.encoder.prompt_ids(text) for text in texts]
