"""Free generation is greedy, whatever the model's own settings are."""

from typing import Any, cast

from transformers import GenerationConfig

from worker.kn import Resident
from worker.kn.model.generation import continuations


def test_a_penalty_among_the_models_settings_changes_nothing(llama: Resident) -> None:
    plain = continuations(llama, ["aaaa", "the sea"], new_tokens=8)
    own = GenerationConfig(repetition_penalty=5.0, no_repeat_ngram_size=1)
    model = cast(Any, llama.model)
    model.generation_config = own

    found = continuations(llama, ["aaaa", "the sea"], new_tokens=8)

    assert found == plain
    assert model.generation_config is own
