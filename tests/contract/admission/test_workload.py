"""A request in tokens, as the API counts them."""

import re

from contract.admission.workload import answer_tokens, new_tokens_of, workload_of
from contract.wire.edits import EditRequest, Method


def count(text: str) -> int:
    """As a tokenizer does to which a space belongs to the word after it: `Rome` at a line's
    beginning is two tokens, ` Rome` one."""
    return len(re.findall(r" \w+|\w{1,2}|[^\w ]", text))


def test_an_answer_is_counted_behind_its_prompt() -> None:
    assert answer_tokens("It is", "Rome", count) == 1
    assert answer_tokens("It is ", " Rome", count) == 1
    assert answer_tokens("assistant\n", "Rome", count) == 2
    assert answer_tokens('He says "', "Rome", count) == 2


def test_what_is_run_and_said_counts_each_answer_behind_its_own_prompt() -> None:
    request = EditRequest(
        prompt="It is",
        refine_prompts=["Is it?\n"],
        protect_prompts=["He "],
        rephrase_prompts=['"'],
        target_new="Budapest",
    )

    work = workload_of(request, count)

    assert [s.answer_tokens for s in work.written] == [1, 4]
    assert [s.answer_tokens for s in work.evaluated][:2] == [1, 4]
    assert work.evaluated[3].answer_tokens == 4
    assert work.protected == (1 + count("He"),)
    assert new_tokens_of(request, count) >= 4 + 2


def test_easyedit_reads_prompt_and_answer_each_by_itself() -> None:
    request = EditRequest(prompt="It is", target_new="Rome", method=Method.EASYEDIT)

    work = workload_of(request, count)

    assert len(work.attributed) == 1 + count("Rome")  # a BOS before the answer counts, too
    assert [s.answer_tokens for s in work.written] == [1]
