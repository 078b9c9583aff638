"""Text for a terminal."""

from palimpsest.terminal.tables import columns, one_line, shorten, width, with_breaks


def test_cells_of_a_column_begin_at_the_same_place() -> None:
    lines = columns([("a", "bb", "c"), ("aaa", "b", "")])

    assert lines == ["a    bb  c", "aaa  b"]


def test_wide_characters_take_two_columns() -> None:
    lines = columns([("東京", "x"), ("abcd", "y"), ("e\N{COMBINING ACUTE ACCENT}bcd", "z")])

    assert width("東京") == 4
    assert lines == ["東京  x", "abcd  y", "e\N{COMBINING ACUTE ACCENT}bcd  z"]


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert shorten("abcdef", 6) == "abcdef"
    assert shorten("abcdefg", 6) == "abcde…"
    assert shorten("東京都庁", 6) == "東京…"


def test_the_line_breaks_of_a_prompt_are_seen() -> None:
    assert (
        one_line(with_breaks("<|user|>\r\nWho?\n<|assistant|>\n")) == "<|user|>↵Who?↵<|assistant|>↵"
    )


def test_what_a_model_writes_cannot_move_the_cursor() -> None:
    assert one_line("Rome\n\n is\x1b[2J it") == "Rome is\N{REPLACEMENT CHARACTER}[2J it"
