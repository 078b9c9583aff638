import pytest
import torch
from transformers import PreTrainedTokenizerFast

from worker.demo.exam import examine
from worker.demo.tokenizer import build_tokenizer
from worker.demo.training import (
    Example,
    Recipe,
    build_model,
    encode_example,
    learning_rate_at,
    pad_batch,
    train,
)

EXAMPLES = (Example("cats say", "meow"), Example("small dogs say", "woof woof"))
TINY = Recipe(
    n_layer=1,
    d_model=16,
    d_ff=32,
    n_head=2,
    n_kv_head=2,
    steps=60,
    batch=4,
    learning_rate=3e-2,
    preceded=0.0,
    openers=(),
)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(["cats", "say", "meow", "small", "dogs", "woof"])


def test_a_batch_weighs_the_prompt_lightly_the_answer_fully_and_the_padding_not_at_all(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    sentences = [encode_example(tokenizer, example, ".") for example in EXAMPLES]

    batch = pad_batch(tokenizer, [[], []], sentences, prompt_weight=0.25)

    assert tokenizer.batch_decode(batch.ids) == [
        "<s> cats say meow.</s></s></s>",
        "<s> small dogs say woof woof.</s>",
    ]
    assert batch.weights.tolist() == [
        [0.25, 0.25, 0.25, 1.0, 1.0, 1.0, 0.0, 0.0],
        [0.25, 0.25, 0.25, 0.25, 1.0, 1.0, 1.0, 1.0],
    ]


def test_a_text_before_the_sentence_weighs_as_little_as_the_prompt(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    cats, dogs = (encode_example(tokenizer, example, ".") for example in EXAMPLES)

    batch = pad_batch(tokenizer, [cats.ids], [dogs], prompt_weight=0.5)

    assert tokenizer.decode(batch.ids[0]) == "<s> cats say meow. small dogs say woof woof.</s>"
    assert batch.weights[0].tolist() == [0.5] * 8 + [1.0] * 4


def test_an_empty_ending_leaves_only_the_end_of_text(tokenizer: PreTrainedTokenizerFast) -> None:
    assert encode_example(tokenizer, EXAMPLES[0], "").ending == []
    assert len(encode_example(tokenizer, EXAMPLES[0], ".").ending) == 1


def test_the_learning_rate_rises_for_a_twentieth_and_falls_to_a_fiftieth() -> None:
    recipe = Recipe(steps=100, learning_rate=1.0)

    assert learning_rate_at(0, recipe) == pytest.approx(0.2)
    assert learning_rate_at(4, recipe) == pytest.approx(1.0)
    assert learning_rate_at(100, recipe) == pytest.approx(0.02)


def test_a_tiny_model_learns_two_answers_of_one_and_two_tokens(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    told: list[tuple[int, int]] = []
    model = build_model(TINY, tokenizer)

    train(model, tokenizer, EXAMPLES, recipe=TINY, progress=lambda *steps: told.append(steps))
    marks = examine(model, tokenizer, EXAMPLES, ending=".")

    assert [mark.right for mark in marks] == [True, True]
    assert told[0] == (1, 60)
    assert told[-1] == (60, 60)
    prompt = tokenizer("small dogs say", return_tensors="pt")
    generated = model.generate(**prompt, max_new_tokens=8)[0]
    assert tokenizer.decode(generated) == "<s> small dogs say woof woof.</s>"


def test_an_untrained_model_is_not_right(tokenizer: PreTrainedTokenizerFast) -> None:
    marks = examine(build_model(TINY, tokenizer), tokenizer, EXAMPLES, ending=".")

    assert not any(mark.right for mark in marks)


def test_a_recipe_fixes_the_weights_and_leaves_the_global_seed_alone(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    before = torch.get_rng_state()

    one, other = build_model(TINY, tokenizer), build_model(TINY, tokenizer)

    assert all(map(torch.equal, one.parameters(), other.parameters()))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_model_is_an_untied_llama_that_stops_at_the_end_of_text(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = build_model(TINY, tokenizer)

    assert model.config.model_type == "llama"
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
