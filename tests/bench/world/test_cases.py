"""What the benches of edit quality ask, and what they may not have told the engine before."""

import pytest

from bench.world.cases import Saying, Setting, Split, check_apart
from bench.world.facts import PHRASINGS, Fact, World

WORLD = World(seed=1)
SPLIT = Split(WORLD)


def test_a_world_has_100_subjects_of_one_to_three_words_with_six_facts_each() -> None:
    assert len(WORLD.subjects) == 100
    assert len(WORLD.facts) == 600
    assert {len(subject.split()) for subject in WORLD.subjects} == {1, 2, 3}
    assert len({(fact.subject, fact.relation) for fact in WORLD.facts}) == 600


def test_no_word_is_longer_than_a_token_of_the_demos() -> None:
    words = {word for fact in WORLD.facts for word in f"{fact.subject} {fact.object}".split()}

    assert max(map(len, words)) <= 10


def test_objects_have_one_to_four_words_or_one() -> None:
    assert {len(fact.object.split()) for fact in WORLD.facts} == {1, 2, 3, 4}
    assert {len(fact.object.split()) for fact in World(seed=1, longest=1).facts} == {1}


def test_equal_seeds_make_equal_worlds_and_others_others() -> None:
    assert World(seed=1).facts == WORLD.facts
    assert not {fact.subject for fact in World(seed=2).facts} & set(WORLD.subjects)


def test_no_new_object_begins_as_the_old_one() -> None:
    for fact in WORLD.facts:
        others = WORLD.others(fact)

        assert len(others) >= 10
        assert all(other.split()[0] != fact.object.split()[0] for other in others)


def test_a_new_object_is_of_the_relation_and_begins_otherwise() -> None:
    class Few(World):
        facts = (
            Fact("Ann", "rival", "Bob"),
            Fact("Lea", "rival", "Bob Gil"),
            Fact("Eve", "rival", "Cy"),
            Fact("Ida", "rival", "Cy Dod"),
            Fact("Ida", "tongue", "Cy Dod Flo"),
        )

    assert Few(seed=1).others(Fact("Ann", "rival", "Bob")) == ["Cy", "Cy Dod"]


def test_64_subjects_are_measured_and_36_are_told_of() -> None:
    told = {saying.fact.subject for saying in SPLIT.references([0, 1])}
    measured = {fact.subject for fact in SPLIT.measured}

    assert (len(told), len(measured)) == (36, 64)
    assert not told & measured
    assert len(SPLIT.references([0, 1])) == 36 * 6 * 2
    assert {saying.phrasing for saying in SPLIT.references([2])} == {2}


def test_every_case_asks_of_20_20_and_15_facts_around_its_own() -> None:
    for case in SPLIT.cases(12):
        around = case.probes
        own = case.fact

        assert {name: len(probes) for name, probes in around.items()} == {
            "random": 20,
            "relation": 20,
            "subject": 15,
        }
        assert all(saying.fact.subject != own.subject for saying in around["random"])
        assert {saying.fact.relation for saying in around["relation"]} == {own.relation}
        assert all(saying.fact.subject != own.subject for saying in around["relation"])
        assert {saying.fact.subject for saying in around["subject"]} == {own.subject}
        assert {saying.fact.relation for saying in around["subject"]} == {*PHRASINGS} - {
            own.relation
        }
        check_apart(SPLIT.references(range(3)), case.sayings)


def test_in_six_cases_each_phrasing_is_held_out_twice() -> None:
    cases = SPLIT.cases(6)

    assert sorted(case.phrasings[2] for case in cases) == [0, 0, 1, 1, 2, 2]
    assert sorted(case.phrasings[0] for case in cases) == [0, 0, 1, 1, 2, 2]


def test_what_is_shown_is_not_held_out() -> None:
    case = SPLIT.cases(1)[0]

    assert (len(case.shown(Setting.REFINED)), len(case.held_out(Setting.REFINED))) == (2, 1)
    assert (len(case.shown(Setting.ALONE)), len(case.held_out(Setting.ALONE))) == (1, 2)
    assert not set(case.shown(Setting.REFINED)) & set(case.held_out(Setting.REFINED))


def test_few_cases_are_the_first_of_many() -> None:
    assert SPLIT.cases(12)[:4] == SPLIT.cases(4)


def test_a_reference_of_a_measured_subject_is_noticed() -> None:
    fact = Fact("Ann", "rival", "Bob")

    check_apart([Saying(fact, 0)], [Saying(Fact("Eve", "rival", "Bob"), 0)])
    with pytest.raises(AssertionError):
        check_apart([Saying(fact, 0)], [Saying(Fact("Ann", "tongue", "Bob"), 1)])
