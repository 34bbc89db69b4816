import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.printable import one_line, printable, printable_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("é.png", "é.png"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("\udc80.png", "\\udc80.png"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x9b2J", "\\x9b2J"),
    ],
    ids=["letters", "control", "undecodable", "right to left", "one byte for two"],
)
def test_what_would_break_a_line_is_escaped(text: str, expected: str) -> None:
    assert printable(text) == expected


def test_lines_stay_lines() -> None:
    assert printable_lines("a\x1b\n\nb\r") == "a\\x1b\n\nb\\r"


@given(st.text())
def test_nothing_that_steers_a_terminal_is_left(text: str) -> None:
    assert printable(text).isprintable()
    assert one_line(text).isprintable()
    assert all(line.isprintable() for line in printable_lines(text).split("\n"))
    printable(text).encode()
