"""The models that benches of edit quality teach."""

from dataclasses import replace

import pytest

from bench.quality import Options
from bench.taught import ALL, BYTES, GROUPED, PUPILS, RUNNING, pupils_named
from worker.demo.training import encode_example
from worker.kn import Method
from worker.kn.model.encoder import Encoder

WHOLE = Options(
    dtype="float32", n=201, methods=tuple(Method), pupils=PUPILS, sampled=False, subject=False
)


def test_to_a_tokenizer_of_bytes_each_subject_is_another_at_a_texts_beginning() -> None:
    encoder = Encoder.of(BYTES.tokenizer, most_tokens=99, n_vocab=1000)

    assert encoder.respells
    for subject in BYTES.world.subjects:
        spellings = encoder.spellings(subject)
        assert spellings is not None
        first, spaced = spellings
        assert len(spaced) == len(subject.split())
        assert len(first) >= len(spaced)


def test_an_example_is_taught_in_the_tokens_of_its_sentence() -> None:
    tokenizer = BYTES.tokenizer
    assert tokenizer is not None
    example = BYTES.examples[0]

    sentence = encode_example(tokenizer, example, ".")

    whole = f"{example.prompt} {example.answer}."
    assert sentence.ids == tokenizer.encode(whole, add_special_tokens=False)
    assert tokenizer.decode(sentence.answer) == f" {example.answer}"
    assert tokenizer.decode(sentence.ending) == "."


def test_running_text_tells_each_sentence_alone_and_after_another() -> None:
    alone, running = BYTES.examples, RUNNING.examples

    assert running[: len(alone)] == alone
    for one, other in zip(alone, running[len(alone) :], strict=True):
        before, _, prompt = other.prompt.rpartition(". ")
        assert (prompt, other.answer) == one
        assert any(before == f"{said} {answer}" for said, answer in alone)


def test_each_kind_and_seed_has_a_directory_of_its_own() -> None:
    pupils = list(pupils_named(f"{ALL},grouped,grouped:52,bytes,bytes:26,running"))

    assert len({pupil.directory for pupil in pupils}) == len(pupils) == 8


@pytest.mark.parametrize(
    ("options", "name"),
    [
        (WHOLE, "quality"),
        (replace(WHOLE, dtype="bfloat16"), "quality-bfloat16"),
        (replace(WHOLE, n=30), "quality-partial"),
        (replace(WHOLE, pupils=(RUNNING,)), "quality-running"),
        (
            replace(WHOLE, pupils=(BYTES, GROUPED.seeded(52)), n=3),
            "quality-bytes-grouped-52-partial",
        ),
        (replace(WHOLE, sampled=True), "quality-sampled-partial"),
    ],
)
def test_a_run_of_other_models_or_in_part_has_a_file_of_its_own(
    options: Options, name: str
) -> None:
    assert options.name == name
    assert options.whole is (name in ("quality", "quality-bfloat16"))
