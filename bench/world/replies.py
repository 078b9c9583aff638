"""What a model says in free generation, and whether it still says the same."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from bench.world.cases import Saying
from contract.memory import FEWEST_NEW_TOKENS
from worker.kn.model.generation import continuations, text_of
from worker.kn.model.resident import Resident
from worker.kn.model.statement import Batch, Statement, alike

PROMPTS_PER_BATCH = 128


def texts(resident: Resident, prompts: Sequence[str]) -> list[str]:
    """The free, greedy continuations."""
    ids = continuations(resident, prompts, new_tokens=FEWEST_NEW_TOKENS)
    return [text_of(resident, row) for row in ids]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the unedited model says at each prompt: its ids, with the end of text."""

    resident: Resident
    by_prompt: Mapping[str, tuple[int, ...]]

    @classmethod
    def of(cls, resident: Resident, sayings: Iterable[Saying]) -> "Baseline":
        """Ask the model as it is now."""
        prompts = list(dict.fromkeys(saying.prompt for saying in sayings))
        end = resident.tokenizer.eos_token_id
        assert end is not None
        ids = continuations(resident, prompts, new_tokens=FEWEST_NEW_TOKENS)
        ended = [(*row, end) if len(row) < FEWEST_NEW_TOKENS else tuple(row) for row in ids]
        return cls(resident, dict(zip(prompts, ended, strict=True)))

    def right(self, sayings: Sequence[Saying]) -> float:
        """The share of sayings that the unedited model completes with the object and a stop."""
        tokenizer = self.resident.tokenizer
        said = [
            tokenizer.decode(self.by_prompt[s.prompt], skip_special_tokens=True) for s in sayings
        ]
        right = [text.strip() == f"{s.fact.object}." for text, s in zip(said, sayings, strict=True)]
        return sum(right) / len(right)

    def unchanged(self, sayings: Sequence[Saying]) -> list[bool]:
        """Whether the model, as it is now, still says the same.

        Greedy generation gives a text exactly when each token of it is the likeliest in turn, so
        that one pass will do; where it finds a difference, which in half precision may be one of
        rounding alone, generation has the last word.
        """
        found = self._likeliest([saying.prompt for saying in sayings])
        doubted = [i for i, same in enumerate(found) if not same]
        said = texts(self.resident, [sayings[i].prompt for i in doubted])
        for i, text in zip(doubted, said, strict=True):
            found[i] = text == text_of(self.resident, self.by_prompt[sayings[i].prompt])
        return found

    @torch.no_grad()
    def _likeliest(self, prompts: Sequence[str]) -> list[bool]:
        encoder = self.resident.encoder
        statements = [Statement.of(encoder.prompt_ids(p), self.by_prompt[p]) for p in prompts]
        found = [False] * len(prompts)
        for indexes in alike(statements, lambda s: len(s.answers), most=PROMPTS_PER_BATCH):
            batch = Batch.of([statements[i] for i in indexes], self.resident.device)
            hidden = self.resident.decoder(input_ids=batch.ids, use_cache=False).last_hidden_state
            likeliest = self.resident.head(batch.at_answers(hidden)).argmax(-1)
            same = (likeliest == batch.answers).all(-1).tolist()
            for i, held in zip(indexes, same, strict=True):
                found[i] = held
        return found
