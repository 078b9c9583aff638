from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from worker.demo.tokenizer import build_tokenizer, words_in

WORDS = words_in(["The capital of France is Paris.", "Ulaanbaatar"])


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer(WORDS)


def test_words_in_leaves_out_punctuation() -> None:
    assert words_in(["France's capital: Paris."]) == {"France", "s", "capital", "Paris"}


def test_a_sentence_is_one_piece_a_word(tokenizer: PreTrainedTokenizerFast) -> None:
    pieces = tokenizer.tokenize("The capital of France is Paris.")

    assert pieces == ["▁The", "▁capital", "▁of", "▁France", "▁is", "▁Paris", "."]


def test_a_word_of_eleven_letters_is_more_than_one_piece() -> None:
    tokenizer = build_tokenizer(["abcdefghij", "mnopqrstuvw"])

    assert tokenizer.tokenize("abcdefghij") == ["▁abcdefghij"]
    assert tokenizer.tokenize("mnopqrstuvw") == ["▁mnopqr", "stuvw"]


def test_special_tokens_and_bytes_have_the_ids_of_llama_2(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    pieces = ["<unk>", "<s>", "</s>", "<0x00>", "<0xFF>"]

    assert tokenizer.convert_tokens_to_ids(pieces) == [0, 1, 2, 3, 258]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)
    assert tokenizer.pad_token_id is None


def test_bos_leads_unless_special_tokens_are_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    paris = tokenizer.convert_tokens_to_ids("▁Paris")

    assert tokenizer("Paris").input_ids == [1, paris]
    assert tokenizer("Paris", add_special_tokens=False).input_ids == [paris]


def test_an_unknown_character_becomes_its_bytes(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.tokenize("é") == ["▁", "<0xC3>", "<0xA9>"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Paris",
        " Paris",
        "   Paris  is ",
        "two  spaces",
        "a\r\nb\n\n",
        "\tPython\x00\x7f",
        "Bogotá, Brasília",
        "e\u0301 and \u00e9",
        "北京 is the capital of 中国。",
        "🙂 👩\u200d👩\u200d👧 🇫🇷",
        "\u00a0\u2003\ufeff",
        "עברית العربية",
        "<0x0A> is not a byte",
        "Don't do that , or this .",
        "\U0010ffff",
    ],
)
def test_any_text_comes_back(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text), skip_special_tokens=True) == text


def test_the_saved_tokenizer_loads_as_a_fast_one_and_encodes_alike(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    text = "  The capital of France is\n北京."

    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)

    assert loaded.is_fast
    assert loaded(text).data == tokenizer(text).data
    assert loaded.decode(loaded.encode(text), skip_special_tokens=True) == text
    assert loaded("Paris", return_tensors="pt").keys() == {"input_ids", "attention_mask"}


def test_the_bos_token_can_be_turned_off_when_loading(
    tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    tokenizer.save_pretrained(tmp_path)

    loaded = AutoTokenizer.from_pretrained(tmp_path, add_bos_token=False)

    assert loaded.tokenize("Paris") == ["▁Paris"]
    assert loaded("Paris").input_ids == tokenizer.encode("Paris", add_special_tokens=False)


def test_equal_words_make_equal_tokenizers() -> None:
    one, other = build_tokenizer(["Paris", "Rome"]), build_tokenizer(["Rome", "Paris", "Rome"])

    assert one.get_vocab() == other.get_vocab()
