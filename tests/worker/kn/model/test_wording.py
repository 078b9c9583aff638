"""A text says an answer as whole words, in the answer's own script."""

import pytest

from worker.kn.model.wording import begins_with


@pytest.mark.parametrize(
    ("text", "answer", "begins"),
    [
        ("Rome.", "Rome", True),
        ("Rome", "Rome", True),
        ("Romeo", "Rome", False),
        ("Marseille", "Mars", False),
        ("1984", "19", False),
        ("3.14", "3", False),
        ("3. It", "3", True),
        ("1,000,000 people", "1", False),
        ("12:30", "12", False),
        ("1/2", "1", False),
        ("4, 5 and 6", "4", True),
        ("  New  York City", "New York", True),
        ("St. Paul", "St.", True),
        ("東京都です", "東京", True),
        ("とうきょうです", "とうきょう", True),
        ("서울입니다", "서울", True),
        ("กรุงเทพมหานคร", "กรุงเทพ", True),
        ("3月です", "3", True),
        ("北京 is", "南京", False),
        ("दिल्लीवासी", "दिल्ली", False),
        ("Москвашвея", "Москва", False),
        ("Jose\N{COMBINING ACUTE ACCENT} Marti", "Jose", False),
        ("Jose\N{COMBINING ACUTE ACCENT} Marti", "Jos\N{LATIN SMALL LETTER E WITH ACUTE}", True),
    ],
)
def test_a_text_begins_with_an_answer_as_whole_words(text: str, answer: str, begins: bool) -> None:
    assert begins_with(text, answer) is begins
