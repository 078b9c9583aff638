"""A small random Llama whose tokens are bytes."""

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from bench.admission.budgeted_editor import BudgetedEditor
from worker.kn.model.resident import Resident


def tokenizer() -> PreTrainedTokenizerFast:
    """One token for each byte, and BOS."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: i for i, name in enumerate(["<s>", "</s>", *letters])}
    found = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found.decoder = decoders.ByteLevel()
    found.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    return PreTrainedTokenizerFast(tokenizer_object=found, bos_token="<s>", eos_token="</s>")


def budgeted_editor() -> BudgetedEditor:
    """An editor of random weights: 6 layers, hidden 64."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=258,
        hidden_size=64,
        intermediate_size=172,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
    )
    resident = Resident.of(LlamaForCausalLM(config), tokenizer())
    return BudgetedEditor(resident, measure_memory=False)
