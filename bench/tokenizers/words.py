"""A tokenizer of whole words, so that a benchmark knows how many tokens a prompt has."""

from collections.abc import Iterable

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast


def word_tokenizer(n_vocab: int) -> PreTrainedTokenizerFast:
    """The words w0, w1, … with ids 0, 1, …; neither BOS nor anything else is added."""
    model = WordLevel({f"w{n}": n for n in range(n_vocab)}, unk_token="w0")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=["input_ids", "attention_mask"]
    )


def text_of(ids: Iterable[int]) -> str:
    """The text that these ids stand for."""
    return " ".join(f"w{n}" for n in ids)
