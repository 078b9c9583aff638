import json
from dataclasses import replace
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from worker.demo.errors import ForgottenFactsError
from worker.demo.folder import holds, publish
from worker.demo.making import EXAMPLES, digest_of, make_demo, repetition, save, teach
from worker.demo.training import Example, Recipe

EXAMPLE = Example("cats say", "meow")
TINY = Recipe(n_layer=1, d_model=16, d_ff=32, n_head=2, n_kv_head=2, steps=40, learning_rate=3e-2)
HASTY = replace(TINY, steps=1, batch=1, learning_rate=0.0)


def ignore(done: int, total: int) -> None:
    pass


def test_the_model_is_taught_all_864_prompts() -> None:
    assert len(EXAMPLES) == 864
    assert EXAMPLES[0] == Example("The capital of France is", "Paris")


def test_a_taught_model_and_its_requests_load_from_disk(tmp_path: Path) -> None:
    taught = teach([EXAMPLE], replace(TINY, batch=2), progress=ignore)

    save(taught, tmp_path)

    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    generated = model.generate(**tokenizer("cats say", return_tensors="pt"), max_new_tokens=8)[0]
    assert tokenizer.decode(generated) == "<s> cats say meow.</s>"
    assert json.loads((tmp_path / "facts.json").read_text())[0]["target_new"] == "Rome"


def test_a_model_that_stays_wrong_is_an_error_that_names_the_prompts() -> None:
    lessons: list[int] = []

    with pytest.raises(ForgottenFactsError, match=r"1 wrong answers.*'cats say'") as caught:
        teach([EXAMPLE], HASTY, progress=lambda done, total: lessons.append(total))

    assert caught.value.prompts == ("cats say",)
    assert lessons == [1, 1, 1, 1]


def test_a_directory_that_holds_the_model_is_not_made_again(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    publish(home, digest_of(HASTY, EXAMPLES), write=lambda directory: None)

    assert make_demo(home, recipe=HASTY, progress=ignore) == home
    assert holds(home, digest_of(HASTY, EXAMPLES))


def test_a_repetition_is_a_third_as_long_and_a_third_as_fast_in_another_order() -> None:
    lesson = repetition(Recipe(steps=300, learning_rate=3e-3, seed=7))

    assert (lesson.steps, lesson.seed) == (100, 8)
    assert lesson.learning_rate == pytest.approx(1e-3)


def test_the_digest_changes_with_the_recipe_and_with_the_examples() -> None:
    digest = digest_of(TINY, [EXAMPLE])

    assert digest == digest_of(replace(TINY), [EXAMPLE])
    assert digest != digest_of(replace(TINY, seed=1), [EXAMPLE])
    assert digest != digest_of(TINY, [Example("cats say", "purr")])
