"""What a prompt is about, by name or by what its answer depends on."""

import re
from dataclasses import replace

import pytest
import torch
from tiny_tasks import tiny_task

from worker.demo.tokenizer import build_tokenizer
from worker.kn import EditRequest, Resident
from worker.kn.methods.subject import Subject, most_depended_on, whole_name
from worker.kn.model.encoder import Encoder
from worker.kn.model.statement import Statement

LAYERS = range(3)
STEP = 1e-4


def test_a_subject_that_the_request_names_is_taken_at_its_word(llama: Resident) -> None:
    task = tiny_task(llama)
    named = replace(task, request=replace(task.request, subject=" The capital "))

    assert Subject.of(named, LAYERS) == ("The capital", "The capital")


def test_where_none_is_named_it_is_the_word_that_the_answer_depends_on(llama: Resident) -> None:
    task = tiny_task(llama)
    with llama.frozen():
        at = most_depended_on(llama, task.old[0], LAYERS)  # a letter
        word = Subject.of(task, LAYERS).word

    prompt = "The capital is"
    assert word == prompt[prompt[:at].rfind(" ") + 1 :].split()[0]
    assert word in ("The", "capital", "is")


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("The mother of Ada [Lovelace] is", "Ada Lovelace"),
        ("Ada [King] Lovelace was born in", "Ada King Lovelace"),
        ("The [Nile]'s length is", "The Nile"),
        ("In Rome, [Ada] was", "Ada"),
        ("Did [Ada], Byron ask", "Did Ada"),
        ("The plays of Jean-Paul [Sartre] are", "Jean-Paul Sartre"),
        ("The plays of Jean-[Paul] Sartre are", "Jean-Paul Sartre"),
        ("The host was Conan O'[Brien]", "Conan O'Brien"),
        ("So J.K. [Rowling] wrote", "Rowling"),
        ("So (Ada [Byron]) wrote", "Ada Byron"),
        ("Annabel Lee met Ann [Lee]", "Ann Lee"),
        ("He is [Jose\u0301] Garci\u0301a, who", "Jose\u0301 Garci\u0301a"),
        ("The [violin] is played by", "violin"),
        ("\u938c\u5009[\u306f]\u3069\u3053", "\u306f"),
        ("The[ capital] is", "capital"),
        ("[]The capital is", ""),
    ],
)
def test_a_name_has_the_capitalised_words_beside_the_one_that_is_known(
    prompt: str, name: str
) -> None:
    before, word, after = re.split(r"[\[\]]", prompt)

    found = whole_name(before + word + after, len(before), len(before + word))

    assert found == name


def test_a_word_whose_letters_are_reported_in_bytes_is_found_whole(
    llama: Resident, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = build_tokenizer(["of", "the"])
    encoder = Encoder.of(tokenizer, most_tokens=64, n_vocab=len(tokenizer))
    prompt = "\u12a0\u12f2\u1235 \u12a0\u1260\u1263 of the"  # Addis Ababa, of three bytes a letter
    request = EditRequest(prompt=prompt, target_new="Rome")
    task = replace(tiny_task(replace(llama, encoder=encoder)), request=request)
    found = []
    for at, token in enumerate(encoder.prompt_ids(prompt)):
        if encoder.text([token]):  # neither BOS nor a space
            monkeypatch.setattr("worker.kn.methods.subject.most_depended_on", lambda *_, at=at: at)
            found.append(Subject.of(task, LAYERS).word)

    assert list(dict.fromkeys(found)) == prompt.split()
    assert len(found) == 3 * 3 + 3 * 3 + 2


def test_what_the_answer_depends_on_is_found_as_by_finite_differences(resident: Resident) -> None:
    statement = tiny_task(resident).old[0]
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
        most_depended_on(llama, tiny_task(llama).old[0], layers)

    assert all(p.grad is None for p in llama.model.parameters())


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
