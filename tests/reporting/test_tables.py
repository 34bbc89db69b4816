import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgedigits.reporting.tables import WIDEST_TABLE, print_table, to_csv, to_markdown

HEADER = ("file", "accuracy")
ROWS = [("digits.onnx", "98.00 %"), ("digits.int8.tflite", "97.95 %")]


def test_a_table_in_a_log_has_a_line_per_row(capsys):
    print_table("MNIST", HEADER, ROWS)
    out, err = capsys.readouterr()
    title, *lines = [line.split() for line in out.splitlines() if line.strip()]
    assert title == ["MNIST"]
    assert lines[0] == ["file", "accuracy"]
    assert lines[2:] == [["digits.onnx", "98.00", "%"], ["digits.int8.tflite", "97.95", "%"]]
    assert not err


def test_figures_stand_to_the_right(capsys):
    print_table("", ("file", "bytes"), [("a", "7"), ("b", "1,234")])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[-2].rstrip().index("7") == lines[-1].rstrip().rindex("4")


def test_a_wide_row_stays_on_one_line_of_a_log(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    print_table("", ("file", *"abcdefghij"), [("digits.float16.tflite", *["1,234.5678"] * 10)])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[-1].split() == ["digits.float16.tflite", *["1,234.5678"] * 10]
    assert len(lines[-1]) < WIDEST_TABLE


@pytest.mark.parametrize(
    "name", ["digits[bold].onnx", "a:smile:b.onnx", "[/]"], ids=["markup", "emoji", "closing tag"]
)
def test_cells_and_titles_are_printed_as_they_are(name, capsys):
    print_table(name, HEADER, [(name, "1")])
    out = capsys.readouterr().out.splitlines()
    assert out[0].strip() == name
    assert any(line.split() == [name, "1"] for line in out)


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
