"""How far the search for a write's strength goes."""

import pytest
from tiny_tasks import tiny_task

from worker.kn import Resident
from worker.kn.methods.calibrated import Calibrated
from worker.kn.methods.search import Search
from worker.kn.methods.target import Standing


def test_a_search_ends_where_all_lead_by_the_margin() -> None:
    assert Search().ends([Standing(lead=-3.0, gap=10.0), Standing(lead=7.0, gap=0.0)])


def test_the_margin_follows_how_sure_the_model_was_within_bounds() -> None:
    search = Search(first_margin_share=0.7, ending_margin=4.0)

    assert search.margin(10.0) == pytest.approx((7.0, 4.0))
    assert search.margin(0.1) == (5.0, 4.0)
    assert search.margin(50.0) == (10.0, 4.0)


def test_from_a_prompt_alone_the_margin_falls_with_what_is_written_before() -> None:
    search = Search(margin_share=0.6, first_margin_share=0.9, to_half=10)

    margins = [search.margin(10.0, written_rank=ranks).answer for ranks in (0, 10, 20, 290)]

    assert margins == pytest.approx([9.0, 7.5, 7.0, 6.1])


def test_similar_prompts_need_a_larger_margin_than_dissimilar_ones() -> None:
    search = Search(
        dissimilar=0.6, dissimilar_margin_share=0.6, similar=0.8, similar_margin_share=0.9
    )

    margins = [search.margin(10.0, similarity).answer for similarity in (-0.2, 0.6, 0.7, 0.8, 1.1)]

    assert margins == pytest.approx([6.0, 6.0, 7.5, 9.0, 9.0])


def test_where_words_have_two_spellings_a_first_edit_from_a_prompt_alone_is_surer() -> None:
    search = Search(margin_share=0.8, first_margin_share=0.8, respelled=1.5, to_half=10)

    margins = [
        search.margin(lead, written_rank=ranks, respells=True).answer
        for lead, ranks in ((10.0, 0), (10.0, 10), (10.0, 990), (50.0, 0))
    ]

    assert margins == pytest.approx([12.0, 10.0, 8.04, 15.0])
    assert search.margin(10.0, 0.9, respells=True) == search.margin(10.0, 0.9)


def test_a_search_goes_on_while_the_margin_is_in_reach() -> None:
    """3 nats are in reach of 41 steps at 0.1 a step, and not of 36 at half that pace."""
    stood = [Standing(lead=4.0 - 0.1 * i, gap=3.0 + 0.1 * i) for i in range(59, -1, -1)]
    slower = [Standing(s.lead, s.gap) for s in stood] + [stood[-1]] * 5

    assert not Search().ends(stood)
    assert Search().ends(slower)


def test_a_search_goes_on_as_long_as_the_answer_does_not_lead() -> None:
    assert not Search().ends([Standing(lead=-1.0, gap=8.0)] * 99)


def test_an_answer_that_leads_from_the_start_is_reinforced_by_one_step(llama: Resident) -> None:
    told = []
    task = tiny_task(llama)
    leading = Search(most_margin=-100.0, ending_margin=-100.0)
    method = Calibrated(leading)

    with llama.frozen():
        neurons = method.select(task, progress=lambda done, total: None).neurons
        writes = method.write(task, neurons, progress=lambda done, total: told.append(done))

    assert told == [0, 1, 100]
    assert all(write.B.abs().sum() > 0 for write in writes)
