"""What the demo shows: one edit, and whether it holds where it was published to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.wire.edits import EditRequest, Probe
from contract.wire.lifecycle import EditStatus, Outcome
from contract.wire.views import EditView
from palimpsest.terminal.tables import columns, one_line

REQUEST = EditRequest(
    prompt="The capital of France is",
    subject="France",
    ground_truth="Paris",
    target_new="Rome",
    rephrase_prompts=("France's capital city is",),
    locality=(Probe(prompt="The capital of Japan is", ground_truth="Tokyo"),),
)
PROMPTS = {
    "prompt": REQUEST.prompt,
    "paraphrase": REQUEST.rephrase_prompts[0],
    "unrelated": REQUEST.locality[0].prompt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What is said to one prompt: by the service before and after, and by the adapter."""

    prompt: str
    before: str
    after: str
    adapter_after: str

    def as_json(self) -> dict[str, str]:
        return {"before": self.before, "after": self.after, "adapter_after": self.adapter_after}


@dataclass(frozen=True, slots=True)
class Demonstration:
    """The edit and the answers by role: `prompt`, `paraphrase`, `unrelated`."""

    edit: EditView
    answers: Mapping[str, Answered]

    @classmethod
    def of(cls, edit: EditView, adapter_answers: Mapping[str, str]) -> "Demonstration":
        """Bring together what the service and the adapter say, by prompt."""
        told = {answer.prompt: (answer.before, answer.after) for answer in edit.answers}
        told[edit.prompt] = (edit.before or "", edit.after or "")
        answers = {}
        for role, prompt in PROMPTS.items():
            before, after = told.get(prompt, ("", ""))
            answers[role] = Answered(
                prompt=prompt,
                before=first_sentence(before),
                after=first_sentence(after),
                adapter_after=first_sentence(adapter_answers.get(prompt, "")),
            )
        return cls(edit, answers)

    def failures(self) -> list[str]:
        """What did not hold, in words; empty when all is as promised."""
        if self.edit.status is not EditStatus.SUCCEEDED:
            error = self.edit.error
            return [f"the edit {self.edit.status}" + (f": {error.message}" if error else "")]
        prompt, unrelated = self.answers["prompt"], self.answers["unrelated"]
        wanted, changed = self.edit.target_new.strip(), prompt.before != prompt.after
        checks = {
            "the answer did not change": changed,
            f"the service does not answer {wanted!r}": self.edit.outcome is Outcome.HELD,
            f"the adapter does not answer {wanted!r}": prompt.adapter_after == wanted,
            "the unrelated answer changed": unrelated.before == unrelated.after,
            "the adapter changed the unrelated answer": unrelated.before == unrelated.adapter_after,
        }
        return [failure for failure, holds in checks.items() if not holds]

    def remarks(self) -> list[str]:
        """What is worth saying without being a failure."""
        paraphrase = self.answers["paraphrase"]
        if self.edit.checkpoint_id is None or paraphrase.adapter_after == self.edit.target_new:
            return []
        return ["the edit does not carry over to the paraphrase"]

    def table(self) -> list[str]:
        """The answers for a person."""
        head = ("", "PROMPT", "BEFORE", "AFTER", "ADAPTER WITH PEFT")
        rows = [
            (role, said.prompt, said.before, said.after, said.adapter_after)
            for role, said in self.answers.items()
        ]
        return columns([head, *rows])

    def as_json(self) -> dict[str, Any]:
        """The last line of the demo."""
        edit, answers = self.edit, self.answers
        return {
            "edit_id": edit.id,
            "status": edit.status.value,
            "outcome": edit.outcome.value if edit.outcome else None,
            **answers["prompt"].as_json(),
            "checkpoint_id": edit.checkpoint_id,
            "paraphrase": answers["paraphrase"].as_json(),
            "unrelated": answers["unrelated"].as_json(),
        }


def first_sentence(text: str) -> str:
    """The text up to its first full stop."""
    return one_line(text.partition(".")[0])
