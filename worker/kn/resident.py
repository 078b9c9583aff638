"""The model that stays in memory, with all that belongs to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

import torch
from torch import Tensor, nn

from contract.memory import ModelShape
from worker.kn.layout import Block, Layout, blocks_of, layout_of
from worker.kn.statement import Encoder, Tokenizer


@dataclass(frozen=True, slots=True)
class Resident:
    """A causal language model, its tokenizer, and where its parts are."""

    model: nn.Module
    tokenizer: Tokenizer
    layout: Layout
    blocks: tuple[Block, ...]
    shape: ModelShape
    encoder: Encoder

    @classmethod
    def of(cls, model: nn.Module, tokenizer: Any) -> "Resident":
        """Take a loaded model of a known family; raises `UnknownFamilyError`."""
        config = cast(Any, model.config)
        layout = layout_of(config.model_type)
        shape = ModelShape.from_config(
            config.to_dict(), dtype_bytes=next(model.parameters()).element_size()
        )
        return cls(
            model=model.eval(),
            tokenizer=tokenizer,
            layout=layout,
            blocks=blocks_of(model, layout),
            shape=shape,
            encoder=Encoder(tokenizer, most_tokens=_room(config)),
        )

    @property
    def device(self) -> torch.device:
        """Where token ids go in."""
        return self.embeddings.device

    @property
    def dtype(self) -> torch.dtype:
        return self.blocks[0].down_weight.dtype

    @property
    def decoder(self) -> nn.Module:
        return self._part(self.layout.decoder)

    @property
    def rotary(self) -> nn.Module:
        return self._part(self.layout.rotary)

    @property
    def final_norm(self) -> nn.Module:
        return self._part(self.layout.final_norm)

    @property
    def head(self) -> nn.Linear:
        return cast(nn.Linear, self._part(self.layout.head))

    @property
    def embeddings(self) -> Tensor:
        """The input word embeddings, (n_vocab, d_model)."""
        return cast(nn.Embedding, self._part(self.layout.embeddings)).weight

    def _part(self, path: str) -> nn.Module:
        return cast(nn.Module, attrgetter(path)(self.model))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """No weight asks for a gradient meanwhile."""
        learning = [p for p in self.model.parameters() if p.requires_grad]
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)


def _room(config: Any) -> int:
    """The most tokens that attend to each other; the row method knows no sliding window."""
    window = getattr(config, "sliding_window", None)
    if window is not None and getattr(config, "use_sliding_window", True):
        return int(min(config.max_position_embeddings, window))
    return int(config.max_position_embeddings)
