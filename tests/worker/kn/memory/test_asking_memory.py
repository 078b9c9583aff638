"""What asking takes, foretold beside observed: generation, and the scores of answers."""

from typing import Any

import pytest
import torch
from tiny_models import Letters
from transformers import LlamaConfig, LlamaForCausalLM

from worker.kn import Editor, EditRequest, HParams, Method, Probe, Resident

HALF, WHOLE = torch.float16, torch.float32


class Cutting(Letters):
    """Encodes no more than nine characters: an answer of the model's own has more ids than its
    text gives again."""

    def encode(self, text: str, /, **how: Any) -> list[int]:
        return super().encode(text[:9], **how)


def editor_of(letters: type[Letters], *, vocabulary: int, width: int, dtype: torch.dtype) -> Editor:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        initializer_range=0.3,
    )
    model = LlamaForCausalLM(config).to(dtype)
    return Editor(Resident.of(model, letters()), reference_prompts=["a sea", "of words"])


def asking(editor: Editor, **questions: Any) -> float:
    """The bytes that asking was foretold to take by those that it took."""
    request = EditRequest(
        prompt="abcd",
        target_new="e",
        ground_truth="f",
        method=Method.PAPER,
        hparams=HParams(steps=2, adaptive_threshold=0.9),
        **questions,
    )
    (stage,) = (s for s in editor.edit(request).stages if s.stage == "evaluate")
    assert stage.observed_bytes
    return stage.predicted_bytes / stage.observed_bytes


@pytest.mark.parametrize("dtype", [HALF, WHOLE])
def test_generation_holds_the_logits_of_the_token_before(dtype: torch.dtype) -> None:
    editor = editor_of(Letters, vocabulary=20_000, width=16, dtype=dtype)

    assert 1 <= asking(editor, locality=(Probe("wxyz", "e"),) * 15) <= 1.15


@pytest.mark.parametrize("dtype", [HALF, WHOLE])
def test_scores_are_read_from_copies_of_what_the_answers_made(dtype: torch.dtype) -> None:
    editor = editor_of(Letters, vocabulary=700, width=64, dtype=dtype)
    answer = "of letters, and as long as many"

    assert 1 <= asking(editor, locality=(Probe("ab", answer),) * 16) <= 1.15


def test_an_answer_of_the_models_own_counts_by_its_own_ids() -> None:
    editor = editor_of(Cutting, vocabulary=131, width=256, dtype=WHOLE)

    assert 1 <= asking(editor, locality=(Probe("abcdefgh"),) * 16) <= 1.15
