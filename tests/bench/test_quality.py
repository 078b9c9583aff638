"""When the bars of edit quality and of edits in sequence hold."""

from typing import Any

from bench import quality, sequence

MODELS = ("a", "b")


def edits(setting: str, *, n: int = 200, **changes: Any) -> list[dict[str, Any]]:
    row = {
        "setting": setting,
        "method": "calibrated",
        "unedited": 1.0,
        "phrasings": (0, 1, 2),
        "rewrite": True,
        "rewrite_says": True,
        "held_out": [True] if setting == "refined" else [True, True],
        "held_out_says": [True],
        "random": 1.0,
        "relation": 1.0,
        "subject": 1.0,
        "error": None,
        "edit_s": 1.0,
    }
    return [row | {"model": MODELS[i % 2]} | changes for i in range(n)]


def holds(rows: list[dict[str, Any]]) -> bool:
    found: bool = quality.figures("quality", rows, whole=True)["holds"]
    return found


def test_200_perfect_edits_in_both_settings_hold() -> None:
    assert holds(edits("refined") + edits("alone"))


def test_one_setting_is_not_enough_nor_are_199_edits() -> None:
    assert not holds(edits("refined"))
    assert not holds(edits("refined") + edits("alone", n=199))


def test_a_run_in_part_cannot_hold() -> None:
    rows = edits("refined") + edits("alone")

    assert not quality.figures("quality-partial", rows, whole=False)["holds"]


def test_a_model_that_does_not_know_its_facts_proves_nothing() -> None:
    assert not holds(edits("refined", unedited=0.9) + edits("alone", unedited=0.9))


def test_one_rewrite_that_fails_is_one_too_many() -> None:
    failed = edits("refined", n=1, rewrite=False)

    assert not holds(edits("refined") + failed + edits("alone"))


def test_from_a_prompt_alone_85_in_100_held_out_phrasings_suffice() -> None:
    for n_half, held in ((60, True), (61, False)):
        alone = edits("alone", n=200 - n_half) + edits("alone", n=n_half, held_out=[True, False])

        assert holds(edits("refined") + alone) is held  # 1 − 0.5 · 60 / 200 = 0.85


def test_the_other_methods_are_not_judged() -> None:
    worse = edits("refined", method="paper", rewrite=False)

    assert holds(edits("refined") + edits("alone") + worse)


def test_held_out_phrasings_are_told_apart() -> None:
    rows = edits("alone", held_out=[False, True], phrasings=(1, 2, 0))

    (line,) = quality.figures("quality", rows, whole=True)["lines"]

    assert line["held_out"][0] == 0.5
    assert line["held_out_by_phrasing"] == {0: 1.0, 2: 0.0}


def kept(*, n: int, lost: int) -> list[dict[str, Any]]:
    known = {"model": "a", "setting": "alone", "held_at_once": True, "held_out": [True]}
    told = {"error": None, "edit_s": 1.0}
    return [known | told | {"i": i, "holds": i >= lost} for i in range(n)]


def stayed(*, n: int, moved: int) -> list[dict[str, Any]]:
    known = {"model": "a", "setting": "alone", "bystander": [], "subject_edited": True}
    return [known | {"stayed": [i >= moved] * 3} for i in range(n)]


def test_a_sequence_holds_with_95_of_100_edits_and_95_of_100_facts() -> None:
    def sequence_holds(edits: list[dict[str, Any]], facts: list[dict[str, Any]]) -> bool:
        found: bool = sequence.figures("sequence", edits + facts, whole=True)["holds"]
        return found

    assert sequence_holds(kept(n=100, lost=5), stayed(n=100, moved=5))
    assert not sequence_holds(kept(n=100, lost=6), stayed(n=100, moved=0))
    assert not sequence_holds(kept(n=100, lost=0), stayed(n=100, moved=6))
    assert not sequence_holds(kept(n=99, lost=0), stayed(n=100, moved=0))
    assert not sequence_holds(kept(n=100, lost=0), stayed(n=99, moved=0))


def test_a_sequence_in_part_does_not_hold() -> None:
    rows = kept(n=100, lost=0) + stayed(n=100, moved=0)

    assert not sequence.figures("sequence-partial", rows, whole=False)["holds"]
