"""Counting tokens as a model's own tokenizer does, without torch."""

import hashlib
from dataclasses import dataclass

from tokenizers import Tokenizer

from contract.admission.workload import CountTokens
from contract.logs import EventLog
from contract.store.store import CheckpointStore
from contract.wire.serving import ModelView

log = EventLog("app.tokens")


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts tokens, exactly or as an upper bound."""

    count: CountTokens
    is_exact: bool


def count_bytes(text: str) -> int:
    """At most so many tokens: one for each byte, and one for a space put in front."""
    return len(text.encode()) + 1


def count_one(text: str) -> int:
    """At least so many tokens; none of no text."""
    return int(bool(text))


UPPER_BOUND = TokenCounter(count_bytes, is_exact=False)


class TokenCounters:
    """The counters of the models, each tokenizer read from the store once."""

    def __init__(self, store: CheckpointStore) -> None:
        self._store = store
        self._loaded: dict[str, TokenCounter] = {}

    def of(self, model: ModelView) -> TokenCounter:
        """The model's counter; an upper bound while the store has no tokenizer for it."""
        sha256 = model.tokenizer_sha256
        if sha256 is None:
            return UPPER_BOUND
        if sha256 not in self._loaded:
            content = self._read(sha256)
            if content is None:
                log.warning("tokenizer_missing", model=model.name, sha256=sha256)
                return UPPER_BOUND
            self._loaded[sha256] = exact_counter(content)
        return self._loaded[sha256]

    def _read(self, sha256: str) -> bytes | None:
        try:
            with self._store.open(sha256) as file:
                content = file.read()
        except FileNotFoundError:
            return None
        return content if hashlib.sha256(content).hexdigest() == sha256 else None


def exact_counter(tokenizer_json: bytes) -> TokenCounter:
    """The counter of a `tokenizer.json`."""
    tokenizer = Tokenizer.from_buffer(tokenizer_json)
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False).ids)

    return TokenCounter(count, is_exact=True)
