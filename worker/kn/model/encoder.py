"""From texts to the ids that the model is run with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from contract.memory import as_run, followed
from worker.kn.errors import BadRequestError, PromptTooLongError, UnreachableTargetError
from worker.kn.model.statement import Statement


class Tokenizer(Protocol):
    """What the engine needs of a Hugging Face tokenizer."""

    eos_token_id: int | None

    def encode(self, text: str, /, **options: Any) -> list[int]: ...
    def decode(self, ids: Any, /, **options: Any) -> str: ...


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns prompts and answers into statements the model has room for."""

    tokenizer: Tokenizer
    most_tokens: int
    n_vocab: int
    bos: int | None  # what each text is begun with
    ends_texts: bool  # with EOS, which would stand between prompt and answer, and is left out

    @classmethod
    def of(cls, tokenizer: Tokenizer, *, most_tokens: int, n_vocab: int) -> "Encoder":
        ends_texts = tokenizer.encode("a")[-1:] == [tokenizer.eos_token_id]
        bare = tokenizer.encode("", add_special_tokens=False)
        bos = None if bare else next(iter(tokenizer.encode("")), None)
        return cls(tokenizer, most_tokens, n_vocab, bos, ends_texts)

    def prompt_ids(self, prompt: str) -> list[int]:
        """The prompt with one BOS, where the tokenizer has one, and without blanks at its end.
        Raises `BadRequestError` where the model has no such tokens."""
        ids = self._ids(as_run(prompt))
        if prompt and not ids:
            raise BadRequestError(f"the tokenizer knows no part of {prompt!r}")
        return ids

    def _ids(self, text: str) -> list[int]:
        ids = self.tokenizer.encode(text)
        if ids and max(ids) >= self.n_vocab:
            raise BadRequestError(f"{text!r} has a token that the model has no embedding for")
        if ids[:2] == [self.bos, self.bos]:  # the text contains it already, as with chat templates
            ids = ids[1:]
        return ids[:-1] if self.ends_texts else ids

    def answer_ids(self, prompt: str, answer: str) -> list[int]:
        """The ids that the answer adds after the prompt and, where one is written, a space."""
        before = as_run(prompt)
        rest = followed(prompt, answer).removeprefix(before)
        added = self._behind(before, self.prompt_ids(prompt), rest)
        if added is None:  # take it as on a new line, with which little merges
            added = self._behind("\n", self._ids("\n"), rest)
        if added is None:
            added = self.tokenizer.encode(rest, add_special_tokens=False)
        if not added or not self.tokenizer.encode(answer.strip(), add_special_tokens=False):
            raise UnreachableTargetError(answer)
        return added

    def _behind(self, before: str, ids: list[int], rest: str) -> list[int] | None:
        """The ids that the rest has behind a text and its ids; None where the tokenizer merges
        across the seam."""
        whole = self._ids(before + rest)
        return whole[len(ids) :] if whole[: len(ids)] == ids else None

    @property
    def respells(self) -> bool:
        """Whether a word at a text's beginning has other tokens than after a space."""
        return self.spellings("a") is not None

    def spellings(self, word: str) -> tuple[list[int], list[int]] | None:
        """The ids of a word at a text's beginning, and of the same after a text and a space, where
        these differ: to some tokenizers a space belongs to the word after it, to others each text
        begins with one."""
        try:
            first = self.prompt_ids(word)[len(self.prompt_ids("")) :]
            spaced = self.answer_ids("a", word)
        except BadRequestError:
            return None
        return (first, spaced) if first != spaced else None

    def text(self, ids: Sequence[int]) -> str:
        """What ids say, without special tokens, and without white space around it."""
        return self.tokenizer.decode(ids, skip_special_tokens=True).strip()

    def statement(self, prompt: str, answer: str) -> Statement:
        """The prompt followed by the answer; raises `PromptTooLongError`."""
        return self.checked(Statement.of(self.prompt_ids(prompt), self.answer_ids(prompt, answer)))

    def has_room(self, statement: Statement) -> bool:
        """Whether the model can run it, and say one token more."""
        return len(statement.ids) + 1 <= self.most_tokens

    def checked(self, statement: Statement) -> Statement:
        if not self.has_room(statement):
            raise PromptTooLongError(len(statement.ids) + 1, most=self.most_tokens)
        return statement
