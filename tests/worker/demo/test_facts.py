from worker.demo.facts import COUNTRIES, FACTS, PHRASINGS, Fact, Relation

FRANCE = Fact("France", Relation.CAPITAL, "Paris")


def test_there_are_72_subjects_with_one_fact_in_each_of_4_relations() -> None:
    assert len({country.name for country in COUNTRIES}) == 72
    assert len({(fact.subject, fact.relation) for fact in FACTS}) == len(FACTS) == 288


def test_a_fact_is_asked_in_three_phrasings() -> None:
    assert FRANCE in FACTS
    assert FRANCE.prompts == (
        "The capital of France is",
        "France's capital city is",
        "The government of France has its seat in",
    )


def test_no_two_facts_share_a_prompt() -> None:
    prompts = [prompt for fact in FACTS for prompt in fact.prompts]

    assert len(prompts) == len(set(prompts)) == 864


def test_every_relation_has_its_phrasings_and_each_names_the_subject_once() -> None:
    assert set(PHRASINGS) == set(Relation)
    assert all(
        phrasing.count("{}") == 1 for phrasings in PHRASINGS.values() for phrasing in phrasings
    )


def test_prompts_and_objects_join_with_one_space() -> None:
    assert all(text == text.strip() for fact in FACTS for text in (*fact.prompts, fact.object))
