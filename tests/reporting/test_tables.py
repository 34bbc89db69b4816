import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.folding import width_of
from edgedigits.reporting.tables import Table, table_text, to_csv, to_markdown

HEADER = ("file", "accuracy")
ROWS = [("digits.onnx", "98.00 %"), ("digits.int8.tflite", "97.95 %")]
FIGURES = ("1,234.5678", "98.00 %", "97.71 to 98.26", "-0.01", "pass")
TITLES = ("bytes", "accuracy", "95 % interval", "points", "gate")


def test_a_table_has_a_line_per_row():
    title, empty, *lines = table_text(Table("MNIST", HEADER, ROWS)).splitlines()
    assert (title, empty) == ("MNIST", "")
    assert lines[0].split() == ["file", "accuracy"]
    assert set(lines[1]) == {"-"}
    assert [line.split() for line in lines[2:]] == [
        ["digits.onnx", "98.00", "%"], ["digits.int8.tflite", "97.95", "%"]
    ]  # fmt: skip


def test_figures_stand_to_the_right():
    lines = table_text(Table("", ("file", "bytes"), [("a", "7"), ("b", "1,234")])).splitlines()
    assert lines[-2].index("7") == lines[-1].rindex("4")


def test_a_row_of_a_file_is_a_line_however_long_it_is():
    lines = table_text(Table("", ("file", *TITLES), [("digits" * 50, *FIGURES)])).splitlines()
    assert (
        lines[-1]
        == f"{'digits' * 50}  {'  '.join(f'{f:>{len(t)}}' for f, t in zip(FIGURES, TITLES, strict=True))}"
    )


@pytest.mark.parametrize(
    "name", ["digits[bold].onnx", "a:smile:b.onnx", "[/]"], ids=["markup", "emoji", "closing tag"]
)
def test_cells_and_titles_are_written_as_they_are(name):
    lines = table_text(Table(name, HEADER, [(name, "1")])).splitlines()
    assert lines[0] == name
    assert lines[-1].split() == [name, "1"]


def test_what_would_steer_a_terminal_is_escaped():
    assert "\x1b" not in table_text(Table("a\x1b[2J", HEADER, [("b\x1b[2J", "1\n2")]))


def test_by_default_the_first_columns_to_know_are_shown_with_what_they_are():
    table = Table(
        "", ("file", *TITLES), [("a", *FIGURES)], ("file", "points"), {"points": "more", "gate": "or not"}
    )
    brief, wide = table_text(table), table_text(table, wide=True)
    assert [line.split() for line in brief.splitlines() if line] == [
        ["file", "points"], ["-" * 12], ["a", "-0.01"], ["points:", "more"]
    ]  # fmt: skip
    assert wide.splitlines()[-2:] == ["points: more", "gate: or not"]
    assert all(figure in wide for figure in FIGURES)


def test_a_name_too_wide_for_its_row_stands_above_it():
    name = "a-network-with-a-long-name.float16.onnx"
    lines = table_text(
        Table("", ("file", *TITLES), [("b.onnx", *FIGURES), (name, *FIGURES)]), 70
    ).splitlines()
    assert lines[-2] == name
    assert lines[-1].split() == lines[-3].split()[1:]
    assert lines[-1].index("1,234") == lines[-3].index("1,234")


def test_where_figures_are_too_wide_a_row_is_a_card_whose_facts_are_whole():
    text = table_text(Table("", ("file", *TITLES), [("b.onnx", *FIGURES)]), 36)
    assert text.splitlines() == [
        "",
        "b.onnx",
        "  bytes 1,234.5678",
        "  accuracy 98.00 %   points -0.01",
        "  95 % interval 97.71 to 98.26",
        "  gate pass",
    ] or all(f"{title} {cell}" in text for title, cell in zip(TITLES, FIGURES, strict=True))


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


@given(st.lists(st.tuples(names, names), max_size=4), names, st.integers(20, 120), st.booleans())
def test_no_line_is_wider_than_the_terminal(rows, title, columns, wide):
    cards = [(name, *FIGURES, figure.replace(" ", "")[:9]) for name, figure in rows]
    text = table_text(
        Table(title.replace(" ", "")[:columns], ("file", *TITLES, "p"), cards), columns, wide=wide
    )
    widths = [width_of(line) for line in text.splitlines()]
    assert max(widths) <= columns


def test_markdown_has_a_rule_that_sends_figures_to_the_right():
    assert to_markdown(HEADER, ROWS).splitlines() == [
        "| file | accuracy |",
        "| --- | ---: |",
        "| digits.onnx | 98.00 % |",
        "| digits.int8.tflite | 97.95 % |",
    ]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)


@given(st.lists(st.tuples(cells, cells), max_size=4))
def test_csv_reads_back_as_it_was(rows):
    text = to_csv(HEADER, rows)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [list(row) for row in (HEADER, *rows)]
