"""Files of records, as JSON or one a line."""

import pytest

from palimpsest.facts.errors import UnreadableFactsError
from palimpsest.facts.records import BrokenLine, parse


def test_a_file_may_begin_with_a_byte_order_mark_and_have_dos_line_ends() -> None:
    assert parse(b'\xef\xbb\xbf[\r\n{"prompt": "caf\xc3\xa9"}\r\n]\r\n') == [
        {"prompt": "caf\u00e9"}
    ]


def test_a_file_may_hold_a_record_a_line() -> None:
    assert parse(b'{"prompt": "a"}\n\n{"prompt": "b"}\n') == [{"prompt": "a"}, {"prompt": "b"}]


def test_a_file_may_hold_one_record() -> None:
    assert parse(b'{"prompt":\n "a"}\n') == [{"prompt": "a"}]


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85"])
def test_a_line_ends_where_the_file_breaks_it_and_at_no_mark_within_a_text(mark: str) -> None:
    content = f'{{"prompt": "a{mark}b"}}\n{{"prompt": "c"}}'.encode()

    assert parse(content) == [{"prompt": f"a{mark}b"}, {"prompt": "c"}]


@pytest.mark.parametrize(
    "broken", [b'{"prompt"', b"oops", b'{"prompt": "a"}{"prompt": "b"}', b"{}" + b"[" * 100_000]
)
def test_a_broken_line_stands_for_itself_alone(broken: bytes) -> None:
    first, second = parse(broken + b'\n{"prompt": "b"}')

    assert isinstance(first, BrokenLine)
    assert first.reason.startswith("line 1 is not JSON: ")
    assert second == {"prompt": "b"}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"[" * 100_000, "is nested too deeply"),
        (b'{"n": ' + b"9" * 5000 + b"}", "holds a number of thousands of digits"),
    ],
)
def test_a_line_that_python_does_not_read_is_a_broken_one(line: bytes, reason: str) -> None:
    _, second = parse(b'{"prompt": "a"}\n' + line)

    assert second == BrokenLine(f"line 2 {reason}")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'[{"prompt": "a"},\n{"prompt": "b"}\n', "it is not JSON: .* line 3"),
        (b'{"prompts": ["a", "b"], "target_new": ["c"]}', "target_new has 1 entries for 2"),
        (b"{", "it is not JSON"),
        (b"", "it is not JSON"),
        (b'"prompt"', "it is not a JSON list"),
        (b"\xff\xfe", "it is not UTF-8 text"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[" + b"9" * 5000 + b"]", "it holds a number of thousands of digits"),
    ],
)
def test_a_file_that_is_no_list_of_facts_tells_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableFactsError, match=reason):
        parse(content)
