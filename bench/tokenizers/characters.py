"""A tokenizer of single characters, for models of random weights."""

from typing import Any

import torch
from transformers import BatchEncoding


class Characters:
    """A tokenizer with BOS 1 and one id for each character, as far as the vocabulary goes."""

    eos_token_id = 2

    def __init__(self, n_vocab: int) -> None:
        self._n_vocab = n_vocab

    def encode(self, text: str, /, *, add_special_tokens: bool = True, **_: Any) -> list[int]:
        ids = [3 + ord(letter) % (self._n_vocab - 3) for letter in text]
        return [1, *ids] if add_special_tokens else ids

    def decode(self, ids: Any, /, **_: Any) -> str:
        ids = [ids] if isinstance(ids, int) else list(ids)
        return "".join(chr(int(i) - 3) for i in ids if int(i) > 2)

    def __call__(self, text: str, **_: Any) -> BatchEncoding:
        ids = torch.tensor([self.encode(text)])
        return BatchEncoding({"input_ids": ids, "attention_mask": torch.ones_like(ids)})
