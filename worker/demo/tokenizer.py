"""A small tokenizer with Llama-2's conventions.

`<s>` leads, spaces become `▁`, the first word gets one too, and what has no piece falls back to
bytes, so that decoding gives back any text, save the mark `▁` itself and the special tokens' names.
"""

import json
import re
import string
from collections.abc import Iterable

from tokenizers import AddedToken, Tokenizer, decoders, normalizers, processors
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

BOS, EOS, UNK = "<s>", "</s>", "<unk>"
MAX_TOKENS = 2048

_SPACE = "▁"
_BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
_CHARACTERS = (_SPACE, *string.ascii_letters, *string.digits, *string.punctuation)

Merge = tuple[str, str]


def words_in(texts: Iterable[str]) -> frozenset[str]:
    """The words of the texts, without their punctuation."""
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


def build_tokenizer(words: Iterable[str], *, longest: int = 10) -> PreTrainedTokenizerFast:
    """Make a tokenizer to which each word of up to `longest` letters, after a space, is one piece.

    A longer word of these takes two or three, as names do in a real model.
    """
    merges = _learn_merges(sorted(set(words)), longest=longest)
    pieces = (UNK, BOS, EOS, *_BYTES, *_CHARACTERS, *(left + right for left, right in merges))
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    return PreTrainedTokenizerFast(
        tokenizer_object=_assemble(vocabulary, merges),
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNK,
        padding_side="left",
        model_input_names=["input_ids", "attention_mask"],
        model_max_length=MAX_TOKENS,
        clean_up_tokenization_spaces=False,
    )


def _learn_merges(words: list[str], *, longest: int) -> list[Merge]:
    """Byte-pair merges, carried on until no pair within a word may be joined."""
    learner = Tokenizer(BPE())
    learner.normalizer = normalizers.Prepend(_SPACE)
    trainer = BpeTrainer(
        vocab_size=1_000_000,
        min_frequency=1,
        max_token_length=len(_SPACE) + longest + 1,  # exclusive
        show_progress=False,
    )
    learner.train_from_iterator(words, trainer=trainer)
    merges = json.loads(learner.to_str())["model"]["merges"]
    return [(left, right) for left, right in merges]


def _assemble(vocabulary: dict[str, int], merges: list[Merge]) -> Tokenizer:
    """The pipeline of Llama-2's own `tokenizer.json`."""
    model = BPE(vocabulary, merges, unk_token=UNK, byte_fallback=True, fuse_unk=True)
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens(
        [AddedToken(name, special=True, normalized=False) for name in (UNK, BOS, EOS)]
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(_SPACE), normalizers.Replace(" ", _SPACE)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A",
        pair=f"{BOS} $A {BOS} $B",
        special_tokens=[(BOS, vocabulary[BOS])],
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace(_SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer
