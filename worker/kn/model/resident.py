"""The model in memory, with its tokenizer and layout."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from contract.memory import ModelShape
from worker.kn.errors import UnsuitableModelError
from worker.kn.model.encoder import Encoder, Tokenizer
from worker.kn.model.layout import Block, Layout, blocks_of, layout_of


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
        """Take a loaded model; raises `UnknownFamilyError`, `QuantisedModelError`, and
        `UnsuitableModelError`, for instance for a model with an adapter. Predicted memory assumes
        `sdpa` attention, torch's own; `eager` attention takes several times more."""
        config = cast(Any, model.config)
        layout = layout_of(config)
        if not (isinstance(model, PreTrainedModel) and model.can_generate()):
            raise UnsuitableModelError(f"a {type(model).__name__} is no bare causal language model")
        if getattr(model, "_hf_peft_config_loaded", False):
            raise UnsuitableModelError("the model carries an adapter: merge it first")
        shape = ModelShape.from_config(
            config.to_dict(), dtype_bytes=next(model.parameters()).element_size()
        )
        return cls(
            model=model.eval(),
            tokenizer=tokenizer,
            layout=layout,
            blocks=blocks_of(model, layout),
            shape=shape,
            encoder=Encoder.of(
                tokenizer,
                most_tokens=shape.n_position or sys.maxsize,
                n_vocab=attrgetter(layout.embeddings)(model).num_embeddings,
            ),
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

    @torch.no_grad()
    def next_logits(self, ids: Sequence[int]) -> Tensor:
        """The logits of the next token after the ids: (n_vocab,), float32."""
        given = torch.tensor([list(ids)], device=self.device)
        hidden = self.decoder(input_ids=given, use_cache=False).last_hidden_state
        logits: Tensor = self.head(hidden[:, -1])[0].float()
        return logits

    @contextmanager
    def interrupted_by(self, check: Callable[[], None]) -> Iterator[None]:
        """Each pass calls `check` before its last norm, and ends there if that raises."""
        handle = self.final_norm.register_forward_pre_hook(lambda *_: check())
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block no weight requires a gradient, and neither inference mode nor autocast
        of the caller's holds: they would forbid gradients, or round what is computed."""
        learning = [p for p in self.model.parameters() if p.requires_grad]
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            with ExitStack() as modes:
                modes.enter_context(torch.inference_mode(False))
                for kind in filter(torch.amp.is_autocast_available, {"cpu", self.device.type}):
                    modes.enter_context(torch.autocast(kind, enabled=False))
                yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)
