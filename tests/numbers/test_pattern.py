import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.errors import ArgumentError, ArgumentTypeError
from edgedigits.numbers.pattern import Form, form_of, pattern_of
from edgedigits.numbers.reading import Box, Line, Reading, Sign


def line_of(text: str) -> Line:
    """A line of signs of 10 x 20 pixels, 15 pixels apart."""
    return Line(
        tuple(
            Sign(sign, Box(15 * place, 5, 15 * place + 10, 25), 0.9, 200, True)
            for place, sign in enumerate(text)
        )
    )


def texts(form: Form, *lines: str) -> list[str]:
    reading = Reading(tuple(line_of(line) for line in lines), (400, 100))
    return [line.text for line in form.of(reading).lines]


@pytest.mark.parametrize(
    ("pattern", "digits"), [("d", 1), ("dd.dd.dddd", 8), ("dddd ddd ddd", 10), ("-d,d/", 2), ("d" * 64, 64)]
)
def test_a_pattern_has_digits(pattern: str, digits: int) -> None:
    assert pattern_of(pattern).digits == digits


@pytest.mark.parametrize(
    "text", ["", ".", "dd.mm.yyyy", "DD", "d\n", "d;d", "12", "dᴅ", "d" * 65, "d" + "." * 200], ids=repr
)
def test_what_is_no_pattern_is_told(text: str) -> None:
    with pytest.raises(
        ArgumentError, match=r'pattern: expected d for each digit, .* like "dd\.dd\.dddd", got'
    ):
        pattern_of(text)


@pytest.mark.parametrize("value", [5, b"dd", ["d"]], ids=repr)
def test_what_is_no_text_is_no_pattern(value: object) -> None:
    with pytest.raises(ArgumentTypeError, match="pattern: expected d for each digit"):
        pattern_of(value)


@pytest.mark.parametrize(
    ("pattern", "read", "text"),
    [
        ("dd.dd.dddd", "31122025", "31.12.2025"),
        ("dd.dd.dddd", "31.12.2025", "31.12.2025"),
        ("dd.dd.dddd", "31-12,2025", "31.12.2025"),
        ("dd.dd.dddd", "3.1.1.2.2025.", "31.12.2025"),
        ("dddd", "12.34", "1234"),
        ("-dd,-", "12", "-12,-"),
        ("ddd ddd", "123456", "123 456"),
    ],
)
def test_separators_are_those_of_the_pattern(pattern: str, read: str, text: str) -> None:
    assert texts(form_of(pattern=pattern), read) == [text]


def test_a_separator_stands_where_one_was_read_and_else_in_the_gap() -> None:
    (line,) = form_of(pattern="d.d/d").of(Reading((line_of("1-23"),), (400, 100))).lines
    assert [sign.box for sign in line.signs] == [
        Box(0, 5, 10, 25),
        Box(15, 5, 25, 25),
        Box(30, 5, 40, 25),
        Box(40, 5, 45, 25),
        Box(45, 5, 55, 25),
    ]
    assert [sign.is_digit for sign in line.signs] == [True, False, True, False, True]


def test_digits_that_overlap_have_their_gap_where_they_do() -> None:
    boxes = [Box(0, 5, 12, 25), Box(10, 0, 20, 20)]
    line = Line(tuple(Sign(str(digit), box, 1.0, 255, True) for digit, box in enumerate(boxes)))
    (found,) = form_of(pattern="d,d").of(Reading((line,), (40, 30))).lines
    assert found.signs[1].box == Box(10, 0, 12, 25)


def test_lines_with_another_number_of_digits_are_left_out() -> None:
    assert texts(form_of(digits=3), "12", "1.23", "1234", "456") == ["1.23", "456"]
    assert texts(form_of(pattern="d-dd"), "12", "123") == ["1-23"]
    assert texts(form_of(), "12", "1.23") == ["12", "1.23"]


def test_separators_can_be_left_out() -> None:
    assert texts(form_of(separators=False), "31.12.2025", "7") == ["31122025", "7"]
    assert texts(form_of(separators=False, pattern="dd/dd"), "12:35") == ["1235"]


def test_a_pattern_and_a_number_of_digits_exclude_each_other() -> None:
    with pytest.raises(ArgumentError, match="expected one of them, got both"):
        form_of(digits=2, pattern="dd")


@pytest.mark.parametrize("digits", [0, -1, 65])
def test_a_number_of_digits_has_bounds(digits: int) -> None:
    with pytest.raises(ArgumentError, match="digits: expected 1 to 64"):
        form_of(digits=digits)


@pytest.mark.parametrize("digits", [True, 2.0, "2"], ids=repr)
def test_a_number_of_digits_is_whole(digits: object) -> None:
    with pytest.raises(ArgumentTypeError, match="digits: expected a whole number"):
        form_of(digits=digits)


@given(st.text(alphabet="d.,-/: ", min_size=1, max_size=30).filter(lambda text: "d" in text), st.data())
def test_every_pattern_gives_its_own_text_with_the_digits_that_were_read(
    pattern: str, data: st.DataObject
) -> None:
    count = pattern.count("d")
    parts = data.draw(st.lists(st.sampled_from(["", ".", "-", ".."]), min_size=count + 1, max_size=count + 1))
    digits = data.draw(st.text(alphabet="0123456789", min_size=count, max_size=count))
    read = parts[0] + "".join(digit + part for digit, part in zip(digits, parts[1:], strict=True))
    (text,) = texts(form_of(pattern=pattern), read)
    assert "".join("d" if sign.isdigit() else sign for sign in text) == pattern
    assert "".join(filter(str.isdigit, text)) == digits
